// SPDX-License-Identifier: Apache-2.0

package vm_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/vm"
)

// guest is a machine that runs this program.
func guest(t *testing.T, args ...string) vm.Machine {
	t.Helper()
	cache := os.Getenv("CNI_GUARD_KERNELS")
	if cache == "" {
		t.Skip("boots a virtual machine: make test-vm")
	}
	k, err := vm.Debian(t.Context(), "6.1", cache)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return vm.Machine{Kernel: k, Programs: []string{self}, Command: append([]string{self}, args...), Deadline: 5 * time.Minute}
}

func TestExitCode(t *testing.T) {
	for said, want := range map[string]int{"exit 0": 0, "exit 3": 3, "killed": 128 + 9} {
		t.Run(said, func(t *testing.T) {
			m := guest(t, strings.Fields(said)...)
			result, err := vm.Run(t.Context(), m)
			if err != nil || result.Exit != want {
				t.Errorf("exit code = %d, %v; want %d", result.Exit, err, want)
			}
			if result.Kernel != m.Kernel.Release || result.Took <= 0 {
				t.Errorf("kernel = %q after %s, want %q", result.Kernel, result.Took, m.Kernel.Release)
			}
		})
	}
}

func TestOutputIsWhole(t *testing.T) {
	m := guest(t, "talk")
	var stdout, stderr bytes.Buffer
	m.Stdout, m.Stderr = &stdout, &stderr
	if _, err := vm.Run(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); got != spoken() {
		t.Errorf("stdout has %d bytes, want %d, the same", len(got), len(spoken()))
	}
	if got := stderr.String(); got != "that was all\n" {
		t.Errorf("stderr = %q", got)
	}
}

func TestGuestHasWhatItIsGiven(t *testing.T) {
	m := guest(t, "whoami")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "file"), []byte("something"), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	m.Files = []vm.File{{Path: "/data", From: dir}}
	m.Dir, m.Env, m.Sysctls, m.Modules = "/data", []string{"WHO=me"}, []string{"net.core.somaxconn=500"}, []string{"ipip"}
	m.Stdout, m.OwnTime = &stdout, true
	if _, err := vm.Run(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	want := "pid1=true dir=/data text=\"something\" err=<nil> env=me tunl0=true sysctl=500\n"
	if stdout.String() != want {
		t.Errorf("the guest says %q, want %q", &stdout, want)
	}
}

func TestPanic(t *testing.T) {
	_, err := vm.Run(t.Context(), guest(t, "panic"))
	if !errors.Is(err, vm.ErrPanic) || !strings.Contains(err.Error(), "sysrq") {
		t.Errorf("err = %v, want ErrPanic and the console's last lines", err)
	}
}

func TestDeadline(t *testing.T) {
	m := guest(t, "hang")
	m.Deadline = 6 * time.Second
	if _, err := vm.Run(t.Context(), m); !errors.Is(err, vm.ErrDeadline) {
		t.Errorf("err = %v, want ErrDeadline", err)
	}
}

func TestCancel(t *testing.T) {
	m := guest(t, "hang")
	ctx, cancel := context.WithCancel(t.Context())
	m.Stdout = called(cancel) // the guest hangs from here on
	if _, err := vm.Run(ctx, m); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want Canceled", err)
	}
}

// called calls a function when something is written to it.
type called func()

func (c called) Write(p []byte) (int, error) { c(); return len(p), nil }

func TestCommandThatIsMissing(t *testing.T) {
	m := guest(t)
	m.Command = []string{"/no/such/program"}
	if _, err := vm.Run(t.Context(), m); err == nil || !strings.Contains(err.Error(), "start command: ") {
		t.Errorf("err = %v", err)
	}
}
