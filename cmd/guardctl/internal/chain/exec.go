// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// executor executes plugins for libcni, like invoke.DefaultExec, so that none
// outlives the release. A plugin has a process group of its own, which is killed
// with all that the plugin started when the time is up; and the kernel kills the
// plugin if this program ends before it.
type executor struct{ *version.PluginDecoder }

var _ invoke.Exec = executor{}

// FindInPath implements invoke.Exec.
func (executor) FindInPath(plugin string, dirs []string) (string, error) {
	return invoke.FindInPath(plugin, dirs)
}

// ExecPlugin implements invoke.Exec.
func (executor) ExecPlugin(ctx context.Context, path string, stdin []byte, environ []string) ([]byte, error) {
	// PR_SET_PDEATHSIG is about the thread that started the process, not about
	// all threads; see prctl(2).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for attempt := 1; ; attempt++ {
		stdout, stderr, err := execute(ctx, path, stdin, environ)
		if errors.Is(err, syscall.ETXTBSY) && attempt < 5 && ctx.Err() == nil {
			time.Sleep(time.Second / 5) // the file is being replaced
			continue
		}
		if err != nil {
			return nil, pluginError(err, stdout, stderr)
		}
		w := printable.NewWriter(os.Stderr) // plugins may write anything
		_, _ = w.Write(stderr)
		_ = w.Flush()
		return stdout, nil
	}
}

func execute(ctx context.Context, path string, stdin []byte, environ []string) (stdout, stderr []byte, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, bytes.NewReader(stdin), &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second / 4 // something outside of the group may hold the output open
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

// pluginError returns the error that the plugin printed, or else says how it
// ended.
func pluginError(cause error, stdout, stderr []byte) error {
	var said types.Error
	if json.Unmarshal(stdout, &said) == nil && said.Msg != "" {
		return &said
	}
	if text := strings.TrimSpace(string(stderr)); text != "" {
		return fmt.Errorf("%w: %q", cause, text)
	}
	return cause
}
