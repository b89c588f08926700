// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/invoke"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/probe"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

const (
	plugin   = conflist.GuardType
	guardctl = "guardctl"
	loopback = "loopback"
	// kept is the name of the loopback plugin that ours replaced.
	kept = "loopback.orig"
	// module is what our programs are built of.
	module = "github.com/cni-guard/cni-guard"
)

// patience is what a program has to say that it runs.
const patience = 10 * time.Second

// A program is one of ours, and where it belongs.
type program struct{ name, from, to string }

func (r Request) program(name, dir string) program {
	return program{name, filepath.Join(r.From, name), filepath.Join(dir, name)}
}

// planProgram plans to put a program into place if another is there, and gives
// what to write down of it.
func (p *Plan) planProgram(b program) (Program, error) {
	fresh, err := hashFile(b.from)
	if err != nil {
		return Program{}, fmt.Errorf("find %s: %w: say by --from where cni-guard, loopback and guardctl are; make build makes them", b.name, err)
	}
	old, err := hashFile(b.to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Program{}, explain("read "+b.to, b.to, err)
	}
	if old == fresh && executable(b.to) {
		return Program{SHA256: fresh}, nil
	}
	if err := mayReplace(b.to); err != nil {
		return Program{}, err
	}
	does := "install " + b.to
	if old != "" {
		does = "replace " + b.to
	}
	p.step(func() error { return b.install() }, "%s%s", does, b.versions(old != ""))
	return Program{SHA256: fresh, Replaced: old}, nil
}

func (b program) install() error {
	return copyFile(b.to, b.from, attributes{mode: 0o755, uid: os.Geteuid(), gid: os.Getegid()}, b.runs)
}

// errTried ends a trial that went well.
var errTried = errors.New("it runs")

// try lets a program run beside its place, and leaves nothing there: the folder
// that it comes from may be one in which nothing runs (noexec).
func (b program) try() error {
	err := copyFile(b.to, b.from, attributes{mode: 0o755, uid: os.Geteuid(), gid: os.Getegid()}, func(path string) error {
		if err := b.runs(path); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return err
}

// runs lets a program say that it runs, before it is where the runtime calls it.
func (b program) runs(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if b.name != guardctl {
		_, err := probe.Version(ctx, path)
		return err
	}
	if _, err := (&invoke.RawExec{Stderr: io.Discard}).ExecPlugin(ctx, path, nil, os.Environ()); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	return nil
}

// versions tells which build goes and which comes, where they are known.
func (b program) versions(replaces bool) string {
	fresh := version(b.from)
	switch {
	case fresh == "":
		return ""
	case !replaces:
		return " " + fresh
	}
	old := version(b.to)
	if old == "" {
		old = "of unknown version"
	}
	return fmt.Sprintf(": %s → %s", old, fresh)
}

// version gives the build of a plugin, which says "CNI plugin NAME BUILD: …" to who
// starts it by hand; "" where it says nothing such.
func version(path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
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

// ours reports whether a program was built of our module.
func ours(path, name string) bool {
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Path == module+"/plugins/"+name
}

func hashFile(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return hash(content), nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 == 0o111
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
