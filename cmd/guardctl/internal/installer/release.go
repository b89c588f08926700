// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/pluginquery"
)

// A Release is the programs that install and upgrade put into place. It holds what
// it needs of them in memory, so that it stays usable when [EnterRoot] has left the
// folder behind.
type Release struct {
	dir      string
	programs map[string]*built
	// knows are the CNI versions that the plugin answers to VERSION.
	knows    []string
	knowsErr error
}

// A built is one program of a release.
type built struct {
	path    string
	content []byte
	hash    string
	version string // "" where the program does not name one
	err     error  // why there is no content
}

// OpenRelease reads the programs of a folder. A program that is not there is an
// error only when it is to be installed.
//
// The loopback plugin of a release is "loopback" or, in a folder of plugins in which
// that name is another project's, "cni-guard-loopback". No other program is ever
// taken for it.
func OpenRelease(dir string) (*Release, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find folder %s: %w", dir, err)
	}
	r := &Release{dir: resolved(abs), programs: map[string]*built{}}
	for _, name := range []string{guardctl, plugin, lo, ownLo} {
		b := open(filepath.Join(r.dir, name))
		if b.err == nil && (name != lo || b.isLoopback()) { // another project's is none of our business
			b.version = version(b.path)
		}
		r.programs[name] = b
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if r.knowsErr = r.programs[plugin].err; r.knowsErr == nil {
		r.knows, r.knowsErr = pluginquery.Versions(ctx, r.programs[plugin].path)
	}
	return r, nil
}

func open(path string) *built {
	content, err := os.ReadFile(path)
	if err != nil {
		return &built{path: path, err: err}
	}
	return &built{path: path, content: content, hash: hash(content)}
}

// isLoopback reports whether a program is our loopback plugin.
func (b *built) isLoopback() bool {
	return pluginquery.IsGuardLoopbackProgram(bytes.NewReader(b.content))
}

// find returns a program, or an error that says where to look for it.
func (r *Release) find(name string) (*built, error) {
	b := r.programs[name]
	if b.err != nil {
		return nil, fmt.Errorf("find %s: %w: name the folder of cni-guard, loopback and guardctl with --from; make build makes them", name, b.err)
	}
	return b, nil
}

// loopback returns our loopback plugin, nil where the release has none.
func (r *Release) loopback() *built {
	for _, name := range []string{lo, ownLo} {
		if b := r.programs[name]; b.err == nil && b.isLoopback() {
			return b
		}
	}
	return nil
}

// noLoopback says why there is none.
func (r *Release) noLoopback() error {
	what := "is not the one of cni-guard"
	if errors.Is(r.programs[lo].err, fs.ErrNotExist) {
		what = "is not there"
	}
	return fmt.Errorf("install the safe loopback plugin: %s %s, and no %s is beside it: name the folder of the loopback plugin of cni-guard with --from; nothing was changed", r.programs[lo].path, what, ownLo)
}

// supports answers for the plugin as conflist.Runtime.Supports does.
func (r *Release) supports(cniVersion string) error {
	switch {
	case r.knowsErr != nil:
		return fmt.Errorf("it does not answer VERSION: %w", r.knowsErr)
	case !slices.Contains(r.knows, cniVersion):
		return fmt.Errorf("it does not support cniVersion %s, but %s", cniVersion, strings.Join(r.knows, ", "))
	}
	return nil
}

// version returns the build of a plugin, which writes "CNI plugin NAME BUILD: …" when
// it is started by hand; "" where it writes nothing of that kind.
func version(path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	var about bytes.Buffer
	if _, err := (&invoke.RawExec{Stderr: &about}).ExecPlugin(ctx, path, nil, nil); err != nil {
		return ""
	}
	words := strings.Fields(about.String())
	if len(words) < 4 || words[0] != "CNI" || words[1] != "plugin" {
		return ""
	}
	return strings.TrimSuffix(words[3], ":")
}

// copyTo writes the program.
func (b *built) copyTo(w io.Writer) error {
	_, err := w.Write(b.content)
	return err
}
