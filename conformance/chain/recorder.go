// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/version"
)

// A Call is one execution of a plugin.
type Call struct {
	Plugin string // its type
	Verb   string // CNI_COMMAND
	Stdin  []byte
	Stdout []byte // what it printed on success
	Err    error
}

// A recorder executes plugins as libcni does by itself, and remembers each call.
type recorder struct {
	invoke.RawExec
	version.PluginDecoder

	mu    sync.Mutex
	calls []Call
}

// Calls returns the calls that the runtime made so far.
func (r *Runtime) Calls() []Call {
	r.exec.mu.Lock()
	defer r.exec.mu.Unlock()
	return slices.Clone(r.exec.calls)
}

// ExecPlugin implements invoke.Exec.
func (r *recorder) ExecPlugin(ctx context.Context, path string, stdin []byte, environ []string) ([]byte, error) {
	stdout, err := r.RawExec.ExecPlugin(ctx, path, stdin, environ)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, Call{Plugin: filepath.Base(path), Verb: verb(environ), Stdin: stdin, Stdout: stdout, Err: err})
	return stdout, err
}

// verb takes the last value, as execve does where a variable is set twice.
func verb(environ []string) string {
	found := ""
	for _, pair := range environ {
		if v, ok := strings.CutPrefix(pair, "CNI_COMMAND="); ok {
			found = v
		}
	}
	return found
}

// PrevResult returns the result that the plugin was handed, or nil.
func (c Call) PrevResult() (any, error) {
	var conf struct{ PrevResult any }
	err := json.Unmarshal(c.Stdin, &conf)
	return conf.PrevResult, err
}
