// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/version"
)

// patience bounds each call of a plugin. One that waits for an API server that
// it cannot reach here would take minutes.
const patience = 20 * time.Second

// An executor starts plugins for libcni, and remembers which failed last.
type executor struct {
	invoke.RawExec
	version.PluginDecoder

	failed string // the type of the plugin
}

// ExecPlugin is of invoke.Exec. It gives up on a plugin whose children keep its
// output open after it was killed; they end with the private node.
func (e *executor) ExecPlugin(ctx context.Context, path string, stdin []byte, environ []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type answer struct {
		stdout []byte
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		stdout, err := e.RawExec.ExecPlugin(ctx, path, stdin, environ)
		done <- answer{stdout, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			e.failed = filepath.Base(path)
			if ctx.Err() != nil {
				a.err = fmt.Errorf("gave no answer within %s: %w", patience, a.err)
			}
		}
		return a.stdout, a.err
	case <-time.After(patience + time.Second):
		e.failed = filepath.Base(path)
		return nil, fmt.Errorf("gave no answer within %s", patience)
	}
}
