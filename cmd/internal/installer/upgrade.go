// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"

	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Upgrade plans to replace the installed programs by those of a release, one rename each:
// every call runs the old program or the new one. It changes no config file. If a config
// file names the guard and the plugin is missing, it installs the plugin.
func Upgrade(r Request) (Plan, error) {
	var p Plan
	if err := r.resolveDirs(); err != nil {
		return p, err
	}
	if err := r.openRelease(); err != nil {
		return p, err
	}
	record, err := readRecordIfExists(r.RecordDir)
	if err != nil {
		return p, err
	}
	if to := filepath.Join(r.Site.BinDir, plugin); !exists(to) && len(filesNamingGuard(r.Site.ConfDir, conflist.Loadable)) == 0 {
		return p, fmt.Errorf("upgrade %s: it does not exist, and no file in %s names it: run guardctl install, or name its directory with --bin-dir", to, r.siteAsNamed.ConfDir)
	}
	wanted, err := r.programsToUpgrade(&p)
	if err != nil {
		return p, err
	}
	programs := map[string]Program{}
	var replaced []program
	for _, b := range wanted {
		before := len(p.Steps)
		if programs[b.to], err = p.planProgram(b); err != nil {
			return p, err
		}
		if len(p.Steps) > before {
			replaced = append(replaced, b)
		}
	}
	p.planTrial(replaced)
	p.planProgramsRecord(r, record, programs)
	if exists(r.marker()) {
		p.note("guardctl uninstall left %s behind: the plugin passes every call through until guardctl install is run", r.marker())
	}
	return p, nil
}

// planTrial plans to try all programs before the first one is replaced, because half an
// upgrade leaves a plugin and a guardctl of different versions. Each is tried again when it
// is installed.
func (p *Plan) planTrial(programs []program) {
	if len(programs) < 2 {
		return
	}
	all := Step{Does: fmt.Sprintf("try the %d programs of %s", len(programs), filepath.Dir(programs[0].path)), do: func() error {
		for _, b := range programs {
			if err := b.tryRun(); err != nil {
				return err
			}
		}
		return nil
	}}
	p.Steps = slices.Insert(p.Steps, 0, all)
}

// planProgramsRecord plans to record the programs, also if an upgrade was killed just before
// that.
func (p *Plan) planProgramsRecord(r Request, record *Record, programs map[string]Program) {
	if record == nil {
		return
	}
	fresh := *record
	fresh.Programs = maps.Clone(record.Programs)
	for path, now := range programs {
		now.Replaced, now.Kept = record.Programs[path].Replaced, record.Programs[path].Kept
		fresh.Programs[path] = now
	}
	if !record.same(&fresh) {
		p.step(func() error { return fresh.write(r.RecordDir) }, "record in %s what is installed", recordPath(r.RecordDir))
	}
}

// programsToUpgrade returns the programs, guardctl before the plugin that calls it, and the
// loopback plugin if the installed one is ours.
func (r Request) programsToUpgrade(p *Plan) ([]program, error) {
	programs, err := r.programsToInstall()
	if err != nil {
		return nil, err
	}
	for _, dir := range r.Site.Runtime.BinDirs {
		path := filepath.Join(dir, loopbackName)
		is, err := isOurLoopback(path)
		switch b := r.release.loopback(); {
		case err != nil:
			return nil, err
		case is && b == nil:
			p.note("%s is not upgraded: there is no loopback plugin of cni-guard in %s", path, r.release.dir)
		case is:
			programs = append(programs, program{b, path})
		}
	}
	return programs, nil
}

// A Release is the programs to install. It holds them in memory, so that it stays usable
// after [EnterRoot], when their directory is out of reach.
type Release struct {
	dir      string
	programs map[string]*binary
	// versions are the CNI versions that the plugin supports.
	versions    []string
	versionsErr error
}

// A binary is one program of a release.
type binary struct {
	path    string
	content []byte
	hash    string
	version string // "" if the program names none
	err     error  // why there is no content
}

// OpenRelease reads the programs of a directory. A missing program is an error only if it
// is to be installed.
//
// The loopback plugin of a release is "loopback" or, in a plugin directory in which that is
// another project's, "cni-guard-loopback".
func OpenRelease(dir string) (*Release, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find directory %s: %w", dir, err)
	}
	r := &Release{dir: resolveLinks(abs), programs: map[string]*binary{}}
	for _, name := range []string{guardctl, plugin, loopbackName, ownLoopbackName} {
		b := open(filepath.Join(r.dir, name))
		if b.err == nil && (name != loopbackName || b.isLoopback()) { // another project's is not started
			b.version = buildOf(b.path)
		}
		r.programs[name] = b
	}
	ctx, cancel := context.WithTimeout(context.Background(), StartTimeout)
	defer cancel()
	if r.versionsErr = r.programs[plugin].err; r.versionsErr == nil {
		r.versions, r.versionsErr = pluginquery.Versions(ctx, r.programs[plugin].path)
	}
	return r, nil
}

func open(path string) *binary {
	content, err := os.ReadFile(path)
	if err != nil {
		return &binary{path: path, err: err}
	}
	return &binary{path: path, content: content, hash: hash(content)}
}

// isLoopback reports whether a program is our loopback plugin.
func (b *binary) isLoopback() bool {
	return pluginquery.IsGuardLoopbackProgram(bytes.NewReader(b.content))
}

// find returns a program, or an error with the remedy.
func (r *Release) find(name string) (*binary, error) {
	b := r.programs[name]
	if b.err != nil {
		return nil, fmt.Errorf("find %s: %w: name the directory of cni-guard, loopback and guardctl with --from (make build builds them)", name, b.err)
	}
	return b, nil
}

// loopback returns our loopback plugin, nil if the release has none.
func (r *Release) loopback() *binary {
	for _, name := range []string{loopbackName, ownLoopbackName} {
		if b := r.programs[name]; b.err == nil && b.isLoopback() {
			return b
		}
	}
	return nil
}

// noLoopback returns the error if the release has no loopback plugin.
func (r *Release) noLoopback() error {
	what := "is not cni-guard's"
	if errors.Is(r.programs[loopbackName].err, fs.ErrNotExist) {
		what = "does not exist"
	}
	return fmt.Errorf("install the safe loopback plugin: %s %s, and there is no %s beside it: name the directory of cni-guard's loopback plugin with --from; nothing was changed", r.programs[loopbackName].path, what, ownLoopbackName)
}

// supports is conflist.Runtime.Supports for the plugin of the release.
func (r *Release) supports(cniVersion string) error {
	switch {
	case r.versionsErr != nil:
		return fmt.Errorf("it does not answer VERSION: %w", r.versionsErr)
	case !slices.Contains(r.versions, cniVersion):
		return fmt.Errorf("it supports cniVersion %[2]s, not %[1]s", cniVersion, strings.Join(r.versions, ", "))
	}
	return nil
}

// buildOf returns the build of a plugin, which prints "CNI plugin NAME BUILD: …" if it is
// started by hand; "" if it prints something else.
func buildOf(path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), StartTimeout)
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
func (b *binary) copyTo(w io.Writer) error {
	_, err := w.Write(b.content)
	return err
}
