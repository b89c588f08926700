// SPDX-License-Identifier: Apache-2.0

package release

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// Deadline bounds a release. kubelet gives a DEL two minutes.
const Deadline = 60 * time.Second

// DefaultStateDir is the plugin's stateDir where its configuration names none.
const DefaultStateDir = "/run/cni-guard"

// A Request names the attachment to release and where its chain is found.
type Request struct {
	ContainerID, IfName, Network string

	CacheDir string // the runtime's libcni cache; "": the first of CacheDirs that has the entry
	ConfDir  string // where the runtime looks for configurations; "": guardctl's defaults
	BinDirs  string // CNI_PATH
	StateDir string // where releases are marked; "": guardctl's default
	Netns    string // CNI_NETNS of the DEL, for the mark; may be empty
}

// Start runs `guardctl release` and gives its outcome. Where there is none, the
// outcome is one that released nothing, for the reason that it gives.
func Start(ctx context.Context, r Request, stderr io.Writer) Outcome {
	guardctl := find(r.BinDirs)
	if guardctl == "" {
		return Outcome{Reason: "guardctl is not installed beside cni-guard, so the pod's address stays allocated; install it there"}
	}
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, guardctl, r.args()...)
	cmd.WaitDelay = time.Second
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	runErr := cmd.Run()
	o, err := parseOutcome(stdout.Bytes(), runErr)
	if err != nil {
		return Outcome{Reason: fmt.Sprintf("%s gave no outcome: %v", guardctl, errors.Join(runErr, err))}
	}
	return o
}

// parseOutcome believes a failed guardctl that not all was released, and no more:
// to complete a removal by mistake is to lose an address.
func parseOutcome(stdout []byte, runErr error) (Outcome, error) {
	var o Outcome
	if err := json.Unmarshal(stdout, &o); err != nil {
		return o, fmt.Errorf("parse outcome: %w", err)
	}
	var exit *exec.ExitError
	switch {
	case o.Complete && errors.As(runErr, &exit):
		return o, errors.New("it says that all was released, and failed")
	case !o.Complete && o.Reason == "" && len(o.Plugins) == 0:
		return o, errors.New("it says nothing")
	}
	return o, nil
}

// Command returns the command by which an operator sees what the sandbox still
// holds, quoted for a shell.
func (r Request) Command() string {
	words := append([]string{"guardctl"}, r.args()...)
	words = slices.DeleteFunc(words, func(word string) bool {
		return word == "-o" || word == "json" || word == "--for-runtime" ||
			word == "--state-dir="+DefaultStateDir || strings.HasPrefix(word, "--netns=")
	})
	for i, word := range words {
		words[i] = printable.Word(word)
	}
	return strings.Join(append(words, "--dry-run"), " ")
}

func (r Request) args() []string {
	args := []string{
		"release", "-o", "json", "--for-runtime",
		"--container-id=" + r.ContainerID, "--ifname=" + r.IfName, "--network=" + r.Network,
		"--cache-dir=" + r.Cache(), "--bin-dir=" + r.BinDirs,
	}
	if r.ConfDir != "" {
		args = append(args, "--conf-dir="+r.ConfDir)
	}
	if r.StateDir != "" {
		args = append(args, "--state-dir="+r.StateDir)
	}
	if r.Netns != "" {
		args = append(args, "--netns="+r.Netns)
	}
	return args
}

// find looks for guardctl beside this program, then in the plugin folders.
func find(binDirs string) string {
	dirs := filepath.SplitList(binDirs)
	if self, err := os.Executable(); err == nil {
		dirs = append([]string{filepath.Dir(self)}, dirs...)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, "guardctl")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && !strings.HasSuffix(dir, " (deleted)") {
			return path
		}
	}
	return ""
}
