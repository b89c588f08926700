// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// A Process lives in a network namespace and does nothing else.
type Process struct {
	PID int

	cmd   *exec.Cmd
	stop  func() error
	ended bool
}

// Path is how cri-dockerd and old runtimes name the namespace of a process.
func (p *Process) Path() string { return fmt.Sprintf("/proc/%d/ns/net", p.PID) }

// NewHolder starts a process with a network namespace of its own: a sandbox
// that lives as long as the process.
func NewHolder() (*Process, error) {
	cmd := exec.Command("sleep", "infinity")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start sandbox process: %w", err)
	}
	return &Process{PID: cmd.Process.Pid, cmd: cmd, stop: cmd.Process.Kill}, nil
}

// End kills the process and waits until its ID is free. A second End does
// nothing: the ID may be another's by then.
func (p *Process) End() error {
	if p.ended {
		return nil
	}
	if err := p.stop(); err != nil {
		return fmt.Errorf("end process %d: %w", p.PID, err)
	}
	_ = p.cmd.Wait() // killed is what it should be
	p.ended = true
	return nil
}

// reuse forks a child that has the wanted ID, prints whether it has, and stays
// until the child ends. The Go program that started it is stopped meanwhile:
// should one of its threads start between the write and the fork, it would take
// the ID, and keep it. The counter is put back, lest the next process take an ID
// that is to be reused next. ns_last_pid: proc_sys_kernel(5).
const reuse = `
trap 'kill -CONT $PPID' EXIT
kill -STOP $PPID
until [ "$(cut -d " " -f 3 /proc/$PPID/task/*/stat | sort -u)" = T ]; do :; done
read -r last </proc/sys/kernel/ns_last_pid
echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid
sleep infinity >/dev/null &
echo "$last" >/proc/sys/kernel/ns_last_pid
kill -CONT $PPID
if [ $! = "$1" ]; then
	echo reused
	wait
else
	echo missed
	kill $!
fi`

// Reuse starts a process that has the ID of one that ended. It lives in the
// namespace of the calling thread: the node's, or that of Within.
func Reuse(pid int) (*Process, error) {
	cmd := exec.Command("sh", "-c", reuse, "sh", strconv.Itoa(pid))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("reuse process ID %d: %w", pid, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("reuse process ID %d: %w", pid, err)
	}
	answer, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil && strings.TrimSpace(answer) == "reused" {
		return &Process{PID: pid, cmd: cmd, stop: func() error { return syscall.Kill(pid, syscall.SIGKILL) }}, nil
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil, fmt.Errorf("reuse process ID %d: shell says %q %s", pid, strings.TrimSpace(answer), complaints.String())
}
