// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/pkg/invoke"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

const (
	plugin   = conflist.GuardType
	guardctl = "guardctl"
	// lo is the name of the loopback plugin, ours or another project's. containerd and
	// cri-dockerd have it compiled in.
	lo = "loopback"
	// ownLo is where ours is as well, whether or not it is in use, so that the installed
	// guardctl can put it into place without the folder of the release.
	ownLo = "cni-guard-loopback"
	// kept is the name of the loopback plugin that ours replaced.
	kept = "loopback.orig"
)

// Patience is how long a program may take to answer when something is decided by it: a
// node on which it does not start within that time starts no pod either.
const Patience = 30 * time.Second

// A program is one of ours, and where it belongs.
type program struct {
	*built
	to string
}

// runner reports whether the program is started for nothing but an answer, as
// guardctl is; the others are plugins, which answer VERSION.
func (b program) runner() bool { return filepath.Base(b.to) == guardctl }

// program returns a program of the release and its place.
func (r Request) program(name, dir string) (program, error) {
	b, err := r.release.find(name)
	return program{b, filepath.Join(dir, name)}, err
}

// planProgram plans to put a program into place if another is there, and returns
// what to write down of it.
func (p *Plan) planProgram(b program) (Program, error) {
	old, err := hashFile(b.to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Program{}, explain("read "+b.to, b.to, err)
	}
	if old == b.hash && executable(b.to) {
		return Program{SHA256: b.hash}, nil
	}
	if err := mayReplace(b.to); err != nil {
		return Program{}, err
	}
	does := "install " + b.to
	if old != "" {
		does = "replace " + b.to
	}
	p.step(b.install, "%s%s", does, b.versions(old != ""))
	return Program{SHA256: b.hash, Replaced: old}, nil
}

func (b program) attributes() attributes {
	return attributes{mode: 0o755, uid: os.Geteuid(), gid: os.Getegid()}
}

func (b program) install() error { return b.place(b.runs) }

func (b program) place(test func(string) error) error {
	return place(b.to, b.attributes(), func(f *os.File) error { return b.copyTo(f) }, test)
}

// errTried ends a trial that went well.
var errTried = errors.New("it runs")

// try starts a program beside its place, and leaves nothing there. The folder that
// it comes from may be one in which nothing runs (noexec).
func (b program) try() error {
	err := b.place(func(path string) error {
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

// runs makes sure that a program runs, before it is where the runtime calls it.
func (b program) runs(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if !b.runner() {
		_, err := pluginquery.Versions(ctx, path)
		return err
	}
	if _, err := (&invoke.RawExec{Stderr: io.Discard}).ExecPlugin(ctx, path, nil, os.Environ()); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	return nil
}

// versions says which build is replaced and by which, where they are known.
func (b program) versions(replaces bool) string {
	switch {
	case b.version == "":
		return ""
	case !replaces:
		return " " + b.version
	}
	old := version(b.to)
	if old == "" {
		old = "of unknown version"
	}
	return fmt.Sprintf(": %s → %s", old, b.version)
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
