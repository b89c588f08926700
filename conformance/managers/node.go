// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// patience bounds what a daemon does in the background. It takes milliseconds, but
// an emulated machine is twenty times slower, and a busy one as much again.
const patience = 2 * time.Minute

//go:embed root.sh
var rootScript string

// A Node is a process in network, mount and pid namespaces of its own, and all that
// runs there. It ends with the test.
type Node struct {
	t   testing.TB
	pid string
}

// A Release is a Debian whose daemons are played.
type Release string

// The releases: that of the machine, and Debian 13's systemd above it.
const (
	Own    Release = "own"
	Trixie Release = "trixie"
)

// NewNode makes a node that has lo, a system bus and no manager yet. sys holds
// options of /sys, "ro" or "rw".
func NewNode(t testing.TB, release Release, sys string) *Node {
	t.Helper()
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		rigtest.Lack(t, "not a private node: run through scripts/in-node")
	}
	dir := os.Getenv("CNI_GUARD_MANAGERS")
	if !filepath.IsAbs(dir) {
		rigtest.Lack(t, "CNI_GUARD_MANAGERS must be the absolute path of the folder that scripts/managers.sh filled")
	}
	lower := trees(t, dir, Own)
	if release != Own {
		lower = trees(t, dir, release) + ":" + lower
	}
	rigtest.Need(t, "nsenter", "pivot_root", "ip", "mount")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(t.TempDir(), "inside")
	if err := os.Link(self, inside); err != nil {
		copyFile(t, self, inside)
	}
	programs := []string{inside}
	for _, name := range []string{"bridge", "ptp", "host-local", "loopback"} {
		programs = append(programs, filepath.Join(rigtest.RefDir(t), name))
	}
	for _, name := range []string{"cni-guard", "guardctl", "cni-guard-agent"} {
		programs = append(programs, filepath.Join(rigtest.GuardDir(t), name))
	}
	cmd := exec.Command("sh", "-euc", rootScript)
	cmd.Env = append(os.Environ(), "LOWER="+lower, "PROGRAMS="+strings.Join(programs, " "), "SYS="+sys)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL,
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("make node: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // pid 1 of the node: everything there ends with it
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		_ = cmd.Wait()
		if strings.Contains(said.String(), "overlay") {
			rigtest.Lack(t, "the kernel lays no file system over another: "+said.String())
		}
		t.Fatalf("make node: %q, %v\n%s", line, err, said.String())
	}
	return &Node{t, strconv.Itoa(cmd.Process.Pid)}
}

// trees returns the path of an unpacked tree that may lie below another root: overlayfs
// takes no layer that is a part of another one, so that it is copied, once.
func trees(t testing.TB, dir string, release Release) string {
	t.Helper()
	from, to := filepath.Join(dir, string(release)), filepath.Join("/run/managers", string(release))
	if _, err := os.Stat(to); err == nil {
		return to
	}
	if _, err := os.Stat(from); err != nil {
		rigtest.Lack(t, "scripts/managers.sh has not unpacked the daemons: "+err.Error())
	}
	copy := `mkdir -p /run/managers && cp -a "$0" "$1.new" && mv "$1.new" "$1"`
	if out, err := exec.Command("sh", "-euc", copy, from, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v\n%s", from, err, out)
	}
	return to
}

func copyFile(t testing.TB, from, to string) {
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// command prepares a program on the node.
func (n *Node) command(args ...string) *exec.Cmd {
	args = n.inside(args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	return cmd
}

// inside returns the command that runs the one of the arguments on the node.
func (n *Node) inside(args ...string) []string {
	return append([]string{"nsenter", "-t", n.pid, "-m", "-n", "-p", "--", "env", "PATH=/opt/cni/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, args...)
}

// Try runs commands by sh -eu on the node and returns what they printed.
func (n *Node) Try(commands string) (string, error) {
	out, err := n.command("sh", "-euc", commands).CombinedOutput()
	return string(out), err
}

// Run is Try for commands that must succeed.
func (n *Node) Run(commands string) string {
	n.t.Helper()
	out, err := n.Try(commands)
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return out
}

// Write writes a file of the node.
func (n *Node) Write(path, text string) {
	n.t.Helper()
	cmd := n.command("sh", "-euc", `mkdir -p "$(dirname "$0")"; cat >"$0"`, path)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("write %s: %v\n%s", path, err, out)
	}
}

// Await waits until the commands succeed.
func (n *Node) Await(what, commands string) {
	n.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		out, err := n.Try(commands)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("await that %s: %s: %v\n%s\n%s", what, commands, err, out, n.Run("ip -d link; ip address; ip route show table all; ip rule; head -50 /run/systemd/netif/links/* /run/NetworkManager/devices/* 2>&1 || :"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A Daemon is one that runs on a node.
type Daemon struct {
	n    *Node
	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// Start starts a daemon. It ends with the node, or by Stop.
func (n *Node) Start(args ...string) *Daemon {
	n.t.Helper()
	d := &Daemon{n: n, args: args}
	d.start()
	n.t.Cleanup(func() {
		if n.t.Failed() {
			n.t.Logf("%s said:\n%s", filepath.Base(args[0]), d.log.String())
		}
	})
	return d
}

func (d *Daemon) start() {
	d.n.t.Helper()
	// systemd has a mark for each service that runs.
	d.n.Run(fmt.Sprintf("ln -sfn 8a6f4c2b /run/systemd/units/invocation:%s.service", filepath.Base(d.args[0])))
	d.cmd = d.n.command(d.args...)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		d.n.t.Fatal(err)
	}
}

// Stop ends the daemon as systemd would and waits until it is gone.
func (d *Daemon) Stop() {
	d.n.t.Helper()
	name := filepath.Base(d.args[0])
	d.n.Run(fmt.Sprintf(`for comm in /proc/[0-9]*/comm; do [ "$(cat $comm 2>/dev/null)" != %q ] || kill "$(basename "$(dirname $comm)")"; done`, name[:min(len(name), 15)]))
	_ = d.cmd.Wait()
	d.n.Run(fmt.Sprintf("rm -f /run/systemd/units/invocation:%s.service", name))
}

// Restart stops the daemon and starts it again. What networkd wrote about links is
// removed between, so that what is there afterwards is new.
func (d *Daemon) Restart() {
	d.n.t.Helper()
	d.Stop()
	d.n.Run("rm -f /run/systemd/netif/links/*")
	d.start()
}
