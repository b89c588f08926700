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

	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

const (
	plugin   = conflist.GuardType
	guardctl = "guardctl"
	// loopbackName is the name of the loopback plugin, ours or another project's. It is
	// compiled into containerd and cri-dockerd.
	loopbackName = "loopback"
	// ownLoopbackName is a second name of ours, whether or not it is in use, so that the
	// installed guardctl can install it without the release.
	ownLoopbackName = "cni-guard-loopback"
	// keptLoopbackName is the name of the loopback plugin that ours replaced.
	keptLoopbackName = "loopback.orig"
)

// StartTimeout is how long a program may take to answer. A node on which it takes longer
// starts no pods either.
const StartTimeout = 30 * time.Second

// A program is one of ours with its destination.
type program struct {
	*binary
	to string
}

// isGuardctl reports whether the program is guardctl. The others are plugins, which answer
// VERSION.
func (b program) isGuardctl() bool { return filepath.Base(b.to) == guardctl }

// program returns a program of the release with its destination.
func (r Request) program(name, dir string) (program, error) {
	b, err := r.release.find(name)
	return program{b, filepath.Join(dir, name)}, err
}

// planProgram plans to install a program unless it is installed, and returns its record.
func (p *Plan) planProgram(b program) (Program, error) {
	old, err := hashFile(b.to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Program{}, explain("read "+b.to, b.to, err)
	}
	if old == b.hash && executable(b.to) {
		return Program{SHA256: b.hash}, nil
	}
	if err := checkReplaceable(b.to); err != nil {
		return Program{}, err
	}
	does := "install " + b.to
	if old != "" {
		does = "replace " + b.to
	}
	p.step(b.install, "%s%s", does, b.describeVersions(old != ""))
	return Program{SHA256: b.hash, Replaced: old}, nil
}

func (b program) attributes() attributes {
	return attributes{mode: 0o755, uid: os.Geteuid(), gid: os.Getegid()}
}

func (b program) install() error { return b.write(b.checkRuns) }

func (b program) write(test func(string) error) error {
	return writeAtomically(b.to, b.attributes(), func(f *os.File) error { return b.copyTo(f) }, test)
}

// errTried ends a successful trial.
var errTried = errors.New("it runs")

// tryRun starts a temporary copy of a program beside its destination, because the directory
// of the release may be mounted noexec.
func (b program) tryRun() error {
	err := b.write(func(path string) error {
		if err := b.checkRuns(path); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return err
}

// checkRuns checks that a program runs before it is installed.
func (b program) checkRuns(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), StartTimeout)
	defer cancel()
	if !b.isGuardctl() {
		_, err := pluginquery.Versions(ctx, path)
		return err
	}
	if _, err := (&invoke.RawExec{Stderr: io.Discard}).ExecPlugin(ctx, path, nil, os.Environ()); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	return nil
}

// describeVersions returns the old and the new build, as far as they are known.
func (b program) describeVersions(replaces bool) string {
	switch {
	case b.version == "":
		return ""
	case !replaces:
		return " " + b.version
	}
	old := buildOf(b.to)
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

// loopbackDir returns the directory in which the runtime finds its loopback plugin, or that
// of our programs if it finds none.
func (r Request) loopbackDir() string {
	for _, dir := range r.Site.Runtime.BinDirs {
		if info, err := os.Stat(filepath.Join(dir, loopbackName)); err == nil && info.Mode().IsRegular() {
			return dir
		}
	}
	return r.Site.BinDir
}

// isOurLoopback reports whether an installed loopback plugin is ours.
func isOurLoopback(path string) (bool, error) {
	is, err := pluginquery.IsGuardLoopback(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, explain("identify "+path, path, err)
	}
	return is, nil
}

// planLoopback plans to replace the loopback plugin by the safe one, and to keep the old one
// beside it. If a package installed another one since, that is kept instead.
func (p *Plan) planLoopback(r Request) (string, Program, error) {
	b := program{r.release.loopback(), filepath.Join(r.loopbackDir(), loopbackName)}
	if b.binary == nil {
		return b.to, Program{}, r.release.noLoopback()
	}
	is, err := isOurLoopback(b.to)
	if err != nil {
		return b.to, Program{}, err
	}
	keep := filepath.Join(filepath.Dir(b.to), keptLoopbackName)
	if exists(b.to) && !is {
		if err := checkReplaceable(keep); err != nil {
			return b.to, Program{}, err
		}
		p.step(func() error { return keepBeside(b.to, keep) }, "keep %s as %s", b.to, keep)
	}
	entry, err := p.planProgram(b)
	if err == nil && exists(b.to) && (exists(keep) || !is) {
		entry.Kept = keep
	}
	return b.to, entry, err
}

// keepBeside links a file under a second name atomically. The first name is never missing.
func keepBeside(path, keep string) error {
	beside := keep + newSuffix
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("keep "+path, path, err)
	}
	if err := os.Link(path, beside); err != nil {
		info, statErr := os.Stat(path)
		if statErr != nil {
			return explain("keep "+path, path, statErr)
		}
		return copyFile(keep, path, attributesOf(info)) // a file system without links
	}
	if err := rename(beside, keep); err != nil {
		_ = os.Remove(beside)
		return explain("keep "+path, path, err)
	}
	// Renaming one name of a file to another of the same file does nothing.
	return remove(beside)
}

// planOldLoopback plans to restore the loopback plugin that ours replaced.
func (p *Plan) planOldLoopback(r Request) error {
	for _, dir := range r.Site.Runtime.BinDirs {
		path, keep := filepath.Join(dir, loopbackName), filepath.Join(dir, keptLoopbackName)
		is, err := isOurLoopback(path)
		if err != nil {
			return err
		}
		switch {
		case exists(keep) && (is || !exists(path)):
			if err := checkReplaceable(path); err != nil {
				return err
			}
			p.step(func() error { return putBack(keep, path) }, "put %s back", path)
		case exists(keep):
			p.note("%s is not ours, and was replaced since; %s stays beside it", path, keep)
		case is:
			p.note("%s is ours, and replaced nothing: it stays, because containerd and cri-dockerd need one", path)
		}
	}
	return nil
}

func putBack(keep, path string) error {
	if err := rename(keep, path); err != nil {
		return explain(fmt.Sprintf("put %s back", path), path, err)
	}
	return nil
}
