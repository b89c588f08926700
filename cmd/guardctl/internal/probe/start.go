// SPDX-License-Identifier: Apache-2.0

// Package probe asks an installed plugin what it is.
package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/containernetworking/cni/pkg/version"
)

// Patience is how long a plugin may take to answer, unless the caller says otherwise.
// VERSION needs neither root nor a daemon.
const Patience = 5 * time.Second

const (
	grace = 2 * time.Second       // for what a killed plugin leaves behind to close its output
	busy  = 10 * time.Millisecond // between two attempts at a file that is being written
)

// Version runs the plugin with the verb VERSION and gives the versions of the spec
// that it answers with, as runtimes do before they use it. It takes until the deadline of
// ctx, and Patience where that has none. The error says what the plugin did
// instead of answering, with what it complained of.
func Version(ctx context.Context, binary string) ([]string, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Patience)
		defer cancel()
	}
	out, err := run(ctx, binary)
	for errors.Is(err, syscall.ETXTBSY) && ctx.Err() == nil { // some fork still has it open for writing
		time.Sleep(busy)
		out, err = run(ctx, binary)
	}
	if err != nil && isOldest(out) {
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

// isOldest tells a plugin from before there was VERSION, as libcni does
// (invoke.GetVersionInfo).
func isOldest(out []byte) bool {
	var answer struct{ Msg, Details string }
	return json.Unmarshal(out, &answer) == nil && answer.Msg == "unknown CNI_COMMAND: VERSION" && answer.Details == ""
}

// run gives what the plugin printed, and why it failed if it did.
func run(ctx context.Context, binary string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary)
	// The others stand in the environment as plugins of old versions of skel want them.
	cmd.Env = append(os.Environ(), "CNI_COMMAND=VERSION", "CNI_CONTAINERID=", "CNI_NETNS=dummy", "CNI_IFNAME=dummy", "CNI_PATH=dummy", "CNI_ARGS=")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`{"cniVersion":%q}`, version.Current()))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = grace
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and something that it started has its output still open
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
