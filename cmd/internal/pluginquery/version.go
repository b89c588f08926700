// SPDX-License-Identifier: Apache-2.0

// Package pluginquery asks an installed plugin binary about itself: which versions of
// the CNI spec it supports, and whether it is the loopback plugin of cni-guard.
package pluginquery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containernetworking/cni/pkg/version"
)

// Timeout is the time for an answer if the caller sets no other limit. VERSION needs
// neither root nor a daemon.
const Timeout = 5 * time.Second

const (
	closeDelay = 2 * time.Second       // for processes that a killed plugin left to close its output
	busyDelay  = 10 * time.Millisecond // between two attempts to run a file that is being written
)

// Versions runs the plugin with the verb VERSION, as runtimes do before they use it, and
// returns the versions of the spec that it supports. It waits until the deadline of ctx,
// or Timeout if ctx has none. The error says what the plugin did instead of answering
// and quotes what it printed.
func Versions(ctx context.Context, binary string) ([]string, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Timeout)
		defer cancel()
	}
	out, err := run(ctx, binary)
	for errors.Is(err, syscall.ETXTBSY) && ctx.Err() == nil { // a forked process still has it open for writing
		time.Sleep(busyDelay)
		out, err = run(ctx, binary)
	}
	if err != nil && predatesVersion(out) {
		return []string{"0.1.0"}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s for VERSION: %w", binary, err)
	}
	info, err := (&version.PluginDecoder{}).Decode(out)
	if err != nil {
		return nil, fmt.Errorf("ask %s for VERSION: it answers %.100q: %w", binary, out, err)
	}
	return info.SupportedVersions(), nil
}

// IsShortage reports whether an error of Versions says that this process lacked descriptors,
// processes or memory to run the program. That says nothing about the program.
func IsShortage(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM}, func(e error) bool { return errors.Is(err, e) })
}

// predatesVersion reports whether the output is that of a plugin from before VERSION
// existed, by the same test as libcni's (invoke.GetVersionInfo).
func predatesVersion(out []byte) bool {
	var answer struct{ Msg, Details string }
	return json.Unmarshal(out, &answer) == nil && answer.Msg == "unknown CNI_COMMAND: VERSION" && answer.Details == ""
}

// run returns what the plugin printed and, if it failed, why.
func run(ctx context.Context, binary string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary)
	// Plugins built with an old skel refuse VERSION without the other variables.
	cmd.Env = append(os.Environ(), "CNI_COMMAND=VERSION", "CNI_CONTAINERID=", "CNI_NETNS=dummy", "CNI_IFNAME=dummy", "CNI_PATH=dummy", "CNI_ARGS=")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`{"cniVersion":%q}`, version.Current()))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = closeDelay
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it succeeded, and a process that it started has its output still open
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("it does not answer: %w", ctx.Err())
	case err != nil && stderr.Len() > 0:
		err = fmt.Errorf("%w: %.200q", err, stderr.String())
	case err != nil && stdout.Len() > 0:
		err = fmt.Errorf("%w: %.200q", err, stdout.String())
	}
	return stdout.Bytes(), err
}
