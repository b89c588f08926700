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

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// noCache is the cache directory for libcni, which deletes the cache entry after a
// successful DEL; but the entry belongs to the runtime. Below a file there is nothing
// to read or delete, and nothing that a full disk could prevent.
const noCache = os.DevNull

// del has libcni call DEL of the named plugin with the configuration of p, as the only
// plugin of a list.
func (c *Chain) del(ctx context.Context, plugin string, p *libcni.PluginConfig) error {
	p, err := c.withResult(p)
	if err != nil {
		return err
	}
	p.Network.Type = plugin
	cni := libcni.NewCNIConfigWithCacheDir(c.attachment.BinDirs, noCache, executor{})
	return cni.DelNetworkList(ctx, &libcni.NetworkConfigList{
		Name:       c.list.Name,
		CNIVersion: c.list.CNIVersion,
		Plugins:    []*libcni.PluginConfig{p},
	}, c.runtime)
}

// withResult returns a copy of the configuration with the result of the ADD, which
// libcni would take from its cache. DEL gets it since CNI 0.4.0.
func (c *Chain) withResult(p *libcni.PluginConfig) (*libcni.PluginConfig, error) {
	extra := map[string]any{}
	if hasResult, err := version.GreaterThanOrEqualTo(c.list.CNIVersion, "0.4.0"); err == nil && hasResult && c.result != nil {
		extra["prevResult"] = c.result
	}
	p, err := libcni.InjectConf(p, extra)
	if err != nil {
		return nil, fmt.Errorf("add result to configuration: %w", err)
	}
	return p, nil
}

// shareOfTime returns a context that ends after an equal share of the remaining time.
func shareOfTime(ctx context.Context, shares int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(shares))
}

// callBounded returns soon after ctx ends, even if the call does not: libcni waits until
// the output of a killed plugin is closed, and a child of the plugin may keep it open.
func callBounded(ctx context.Context, del func() error) error {
	done := make(chan error, 1)
	go func() { done <- del() }()
	err := context.DeadlineExceeded
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(time.Second / 4):
		}
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("did not answer in time and was killed: %w", err)
	}
	return err
}

// executor runs plugins for libcni, like invoke.DefaultExec, and makes sure that none
// outlives the release. Each plugin has its own process group, which is killed with all
// its processes when the time is up. The kernel kills the plugin if this program ends
// first.
type executor struct{ *version.PluginDecoder }

var _ invoke.Exec = executor{}

// FindInPath implements invoke.Exec.
func (executor) FindInPath(plugin string, dirs []string) (string, error) {
	return invoke.FindInPath(plugin, dirs)
}

// ExecPlugin implements invoke.Exec.
func (executor) ExecPlugin(ctx context.Context, path string, stdin []byte, environ []string) ([]byte, error) {
	// PR_SET_PDEATHSIG refers to the thread that started the process; see prctl(2).
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
	cmd.WaitDelay = time.Second / 4 // a process outside the group may keep the output open
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

// pluginError returns the error that the plugin printed, or else how it ended.
func pluginError(cause error, stdout, stderr []byte) error {
	var printed types.Error
	if json.Unmarshal(stdout, &printed) == nil && printed.Msg != "" {
		return &printed
	}
	if text := strings.TrimSpace(string(stderr)); text != "" {
		return fmt.Errorf("%w: %q", cause, text)
	}
	return cause
}
