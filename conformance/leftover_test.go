// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// TestMain lets the test program be the inside of a cell that goes wrong.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "play" {
		misbehave(os.Args[2:])
	}
	os.Exit(m.Run())
}

// marker is among the arguments of what a broken cell starts.
const marker = "31536001"

// misbehave does what scenarios and runtimes do: it mounts, makes a network
// namespace and a control group, and starts a process that leaves its session.
// Then it ends in the way that its scenario names.
func misbehave(args []string) {
	value := func(flag string) string {
		for i, arg := range args {
			if arg == flag {
				return args[i+1]
			}
		}
		return ""
	}
	var groups []string
	for _, hierarchy := range hierarchies() {
		groups = append(groups, filepath.Join(hierarchy, value("-cgroup"), "pod"))
	}
	script := fmt.Sprintf(`
		mount -t tmpfs tmpfs %s
		ip netns add broken
		mkdir -p %s
		setsid sh -c 'for g in %[2]s; do echo $$ >$g/cgroup.procs; done; exec sleep %s' >/dev/null 2>&1 &
		until grep -qs . %s/cgroup.procs; do :; done`,
		value("-scratch"), strings.Join(groups, " "), marker, groups[len(groups)-1])
	if out, err := exec.Command("sh", "-euc", script).CombinedOutput(); err != nil {
		fmt.Fprintln(os.Stderr, err, string(out))
		os.Exit(3)
	}
	switch value("-scenario") {
	case "fails":
		fmt.Println(`{"sightings":[],"failure":"the runtime does not start"}`)
		os.Exit(0)
	case "panics":
		panic("on purpose")
	case "hangs":
		if err := os.WriteFile(value("-log"), []byte("hangs"), 0o600); err != nil {
			panic(err)
		}
		select {}
	}
}

// hierarchies are the directories of control groups that processes can be put into: that
// of version 2, or one for each controller of version 1.
func hierarchies() []string {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err == nil {
		return []string{"/sys/fs/cgroup"}
	}
	return []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory"}
}

// A broken cell leaves nothing on the machine, however it ends.
func TestBrokenCellLeavesNothing(t *testing.T) {
	needMachine(t)
	for _, how := range []string{"fails", "panics", "hangs"} {
		t.Run(how, func(t *testing.T) {
			w := brokenWorkshop(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if how == "hangs" {
				go func() { // what Ctrl-C does, once it hangs
					for ctx.Err() == nil {
						if _, err := os.Stat(filepath.Join(w.dir, "log")); err == nil {
							cancel()
						}
					}
				}()
			}
			var why error
			w.cell(ctx, how, "none", true, false, func(_ []claim.Sighting, err error) claim.Verdict {
				why = err
				return claim.Verdict{Word: claim.Broken}
			})
			if why == nil || strings.Contains(why.Error(), "exit status 3") {
				t.Errorf("the cell ended with: %v", why)
			}
			seeNothingOf(t, w)
			w.close()
			if _, err := os.Stat(w.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", w.dir, err)
			}
		})
	}
}

func needMachine(t *testing.T) {
	t.Helper()
	rigtest.Need(t, "ip", "unshare", "setsid")
	if os.Getuid() != 0 {
		rigtest.Lack(t, "control groups need root")
	}
	try := filepath.Join(hierarchies()[0], fmt.Sprintf("cni-guard-test-%d", os.Getpid()))
	if err := os.Mkdir(try, 0o755); err != nil {
		rigtest.Lack(t, err.Error())
	}
	if err := os.Remove(try); err != nil {
		t.Fatal(err)
	}
}

// brokenWorkshop is one whose cells are this program.
func brokenWorkshop(t *testing.T) *workshop {
	t.Helper()
	inNode, err := filepath.Abs("../scripts/in-node")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &workshop{self: self, inNode: inNode, dir: t.TempDir()}
}

// seeNothingOf looks for processes, mounts, network namespaces and control groups.
func seeNothingOf(t *testing.T, w *workshop) {
	t.Helper()
	programs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range programs {
		// A zombie has no arguments.
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), marker) {
			t.Errorf("a process is left: %q", text)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), w.dir) {
		t.Errorf("a mount is left:\n%s", mounts)
	}
	if _, err := os.Stat("/run/netns/broken"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a network namespace is left: %v", err)
	}
	for _, hierarchy := range hierarchies() {
		left, err := filepath.Glob(filepath.Join(hierarchy, fmt.Sprintf("cni-guard-conformance-%d", os.Getpid())))
		if err != nil || len(left) > 0 {
			t.Errorf("control groups are left: %v %v", left, err)
		}
	}
	// The directory is empty: what was mounted there is gone.
	if files, err := os.ReadDir(filepath.Join(w.dir, "scratch")); err != nil || len(files) > 0 {
		t.Errorf("files are left: %v %v", files, err)
	}
}
