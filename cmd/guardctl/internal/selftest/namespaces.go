// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNoNamespaces means that this user cannot create a private node here.
var ErrNoNamespaces = errors.New("cannot create a private node")

// Start runs this program again in new namespaces with the given arguments, and returns
// its exit code. The request is its standard input. If this program ends, the kernel
// kills the other one and every process in its namespaces.
func Start(r Request, stdout, stderr io.Writer, args ...string) (exitCode int, err error) {
	if r.Caller, err = ownIdentity(); err != nil {
		return 0, err
	}
	request, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("start private node: %w", err)
	}
	cmd := sameProgram(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		asRoot(cmd.SysProcAttr)
	}
	// Pdeathsig refers to the thread that started the process; see prctl(2).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), nil
	case errors.As(err, &exit):
		return 0, fmt.Errorf("the self-test ended early: %w", err)
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrNoNamespaces, err)
	}
	return 0, nil
}

// asRoot makes an ordinary user root in a new user namespace.
func asRoot(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
}

// sameProgram returns a command that runs this program.
func sameProgram(args ...string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{os.Args[0]}, args...)}
}

// hold starts a process in a new network namespace. The process ends when its standard
// input does, which stop closes.
func hold() (pid int, stop func() error, err error) {
	cmd := sameProgram(HoldCommand)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	return cmd.Process.Pid, func() error { return errors.Join(stdin.Close(), cmd.Wait()) }, nil
}

// HoldCommand is the argument for which the program calls Hold.
const HoldCommand = "verify-hold"

// Hold waits until its input ends.
func Hold(stdin io.Reader) error {
	_, err := io.Copy(io.Discard, stdin)
	return err
}

// workDir is the only directory to which the self-test itself writes.
const workDir = "/run/cni-guard-verify"

// emptyDirs returns the directories that are empty and in memory in the private node.
// Plugins write to them, and they hold the sockets of daemons that would act on the real
// node.
func emptyDirs() []string { return []string{"/run", "/var/run", "/var/lib/cni"} }

// privatize makes the mounts of this process private and read-only, except for the
// empty directories and the sysctls of its network namespaces. The directories in keep
// stay visible even below an empty directory. The files in needs, which the plugins of
// the chain read, are copied.
func privatize(keep, needs []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// The old /sys shows the links of the real node. If it cannot be replaced, it
	// becomes read-only below, like the new one.
	_ = unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "")
	copies := copiesOf(needs)
	writable, err := mountEmptyDirs(keep)
	if err != nil {
		return err
	}
	for _, c := range copies {
		dir, err := c.put()
		if err != nil {
			return err
		}
		if dir != "" {
			writable = append(writable, dir)
		}
	}
	return readOnlyBut(append(writable, "/proc/sys/net"))
}

// mountEmptyDirs mounts the empty directories and returns those that exist.
func mountEmptyDirs(keep []string) (mounted []string, err error) {
	for _, dir := range emptyDirs() {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue // missing, or a link, as /var/run is to /run
		}
		restore, err := hideUnder(dir, keep)
		if err != nil {
			return nil, err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return nil, fmt.Errorf("mount %s: %w", dir, err)
		}
		if err := restore(); err != nil {
			return nil, err
		}
		mounted = append(mounted, dir)
	}
	for _, dir := range []string{workDir, netnsDir, "/run/lock"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("prepare /run: %w", err)
		}
	}
	return mounted, nil
}

// hideUnder opens the directories in keep that are below dir. The returned function
// mounts them at their old paths once dir is empty.
func hideUnder(dir string, keep []string) (restore func() error, err error) {
	held := map[string]*os.File{}
	for _, path := range keep {
		if strings.HasPrefix(path, dir+"/") {
			if held[path], err = os.Open(path); err != nil {
				return nil, fmt.Errorf("keep %s: %w", path, err)
			}
		}
	}
	return func() error {
		for path, file := range held {
			err := os.MkdirAll(path, 0o755)
			if err == nil {
				err = unix.Mount(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), path, "", unix.MS_BIND, "")
			}
			if err != nil {
				return fmt.Errorf("keep %s: %w", path, err)
			}
			file.Close()
		}
		return nil
	}, nil
}

// readOnlyBut makes all mounts read-only, and then the given directories writable.
// mount_setattr(2): Linux 5.12.
func readOnlyBut(dirs []string) error {
	if err := unix.Mount("/proc/sys/net", "/proc/sys/net", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /proc/sys/net: %w", err)
	}
	err := unix.MountSetattr(-1, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.ENOSYS) {
		return errors.New("make mounts read-only: needs Linux 5.12")
	}
	if err != nil {
		return fmt.Errorf("make mounts read-only: %w", err)
	}
	for _, dir := range dirs {
		if err := unix.MountSetattr(-1, dir, 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make %s writable: %w", dir, err)
		}
	}
	return nil
}
