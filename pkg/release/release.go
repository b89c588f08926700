// SPDX-License-Identifier: Apache-2.0

// Package release is the contract between the chained plugin and `guardctl release`.
//
// To release a sandbox is to call DEL of the other plugins of its chain with an empty
// CNI_NETNS: they free the pod's addresses and remove what they keep on the node, and
// cannot touch a namespace. libcni does that, but libcni has no place in a binary that
// runs for every pod. So the plugin starts guardctl, only when it must, and reads its
// Outcome.
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

// Variable is set in the environment of the plugins that guardctl calls. Without it, a
// cni-guard that is in the chain under another name would start guardctl again.
const Variable = "CNI_GUARD_RELEASING"

// Deadline bounds a release. kubelet waits two minutes for a DEL.
const Deadline = 60 * time.Second

// A Request names the attachment to release and where to find its chain.
type Request struct {
	ContainerID, IfName, Network string

	CacheDir string // the runtime's libcni cache; "": the first of CacheDirs that has the entry
	ConfDir  string // where the runtime looks for configurations; "": guardctl's defaults
	BinDirs  string // CNI_PATH
	StateDir string // where releases are recorded; "": guardctl's default
	Netns    string // CNI_NETNS of the DEL, for the record; may be empty
}

// Start runs `guardctl release` and returns its outcome. If guardctl reports none, the
// outcome says that nothing was released, and why.
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
		return Outcome{Reason: fmt.Sprintf("%s reported no outcome: %v", guardctl, errors.Join(runErr, err))}
	}
	return o
}

// parseOutcome accepts from a guardctl that failed only that the release is incomplete:
// to complete a removal by mistake would leak an address.
func parseOutcome(stdout []byte, runErr error) (Outcome, error) {
	var o Outcome
	if err := json.Unmarshal(stdout, &o); err != nil {
		return o, fmt.Errorf("parse outcome: %w", err)
	}
	var exit *exec.ExitError
	switch {
	case o.Complete && errors.As(runErr, &exit):
		return o, errors.New("it reported a complete release, and failed")
	case !o.Complete && o.Reason == "" && len(o.Plugins) == 0:
		return o, errors.New("it reported nothing")
	}
	return o, nil
}

// Command returns the command that shows an operator what the sandbox still holds,
// quoted for a shell.
func (r Request) Command() string {
	words := append([]string{"guardctl"}, r.args()...)
	words = slices.DeleteFunc(words, func(word string) bool {
		return word == "-o" || word == "json" || word == "--for-runtime" || strings.HasPrefix(word, "--netns=")
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

// find returns the path of guardctl: beside this program, else in the plugin
// directories, else "".
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

// CacheDirs returns the usual cache directories of libcni: its own default, the default
// of --cni-cache-dir of cri-dockerd (which it took over from kubelet), and the one of
// Multus for its delegates.
func CacheDirs() []string {
	return []string{"/var/lib/cni", "/var/lib/cni/cache", "/var/lib/cni/multus"}
}

// Cache returns the directory of the runtime's cache: CacheDir if it is set, else the
// first of CacheDirs that has an entry of the attachment, else libcni's default.
func (r Request) Cache() string {
	if r.CacheDir != "" {
		return r.CacheDir
	}
	for _, dir := range CacheDirs() {
		if _, err := os.Stat(r.entry(dir)); err == nil {
			return dir
		}
	}
	return CacheDirs()[0]
}

// entry returns the path of the attachment's file, as libcni names it.
func (r Request) entry(cacheDir string) string {
	return filepath.Join(cacheDir, "results", filepath.Base(r.Network+"-"+r.ContainerID+"-"+r.IfName))
}
