// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// written is when the files of a fixture were written.
func written() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// directories maps the directories that a fixture may have files in to their names in its text.
func directories() map[string]string {
	return map[string]string{"net.d": "$CONFDIR", "bin": "$BINDIR", "run": "$RUNDIR", "host": "$HOSTDIR", "state": "$STATEDIR"}
}

// conf is the part of a target that says where its configuration comes from.
type conf struct {
	options  string
	network  string
	caller   string
	crio     *string // its cni_default_network
	runtime  conflist.Kind
	dir      string // directory, missing, file, none, or "" where nothing is said
	loopback string
	inspect  string // what each inspection finds
}

// set takes a key of the target section that is about the configuration.
func (c *conf) set(key, value string) (known bool, err error) {
	oneOf := func(to *string, valid ...string) {
		*to = value
		if !slices.Contains(valid, value) {
			err = fmt.Errorf("%q is unknown%s", value, guard.Suggest(value, valid))
		}
	}
	switch key {
	case "options":
		c.options = value
	case "network":
		c.network = value
	case "caller":
		c.caller = value
	case "crio":
		c.crio = &value
	case "runtime":
		c.runtime, err = conflist.ParseKind(value)
	case "confdir":
		oneOf(&c.dir, "directory", "missing", "file", "none")
	case "loopback":
		oneOf(&c.loopback, "ours", "other", "missing", "internal", "unreadable", "none")
	case "inspection":
		oneOf(&c.inspect, "nothing", "finding", "minor", "unreadable", "none")
	default:
		return false, nil
	}
	return true, err
}

// isFile reports whether a section is a file below one of the directories.
func isFile(section string) bool {
	top, name, ok := strings.Cut(section, "/")
	return ok && directories()[top] != "" && filepath.IsLocal(name)
}

// unpack writes the files of the fixture below root, each in the directory of its section.
func (f *fixture) unpack(root string) error {
	for name, text := range f.files {
		path := filepath.Join(root, name)
		mode := os.FileMode(0o755)
		if text == "" {
			mode = 0o644
		}
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(expand(text, root)), mode)
		}
		if err == nil {
			err = os.Chtimes(path, written(), written())
		}
		if err != nil {
			return fmt.Errorf("write file of the fixture: %w", err)
		}
	}
	return nil
}

// makeDirectories makes the empty directories of a fixture.
func makeDirectories(root string) error {
	for name := range directories() {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return fmt.Errorf("make directory of the fixture: %w", err)
		}
	}
	return nil
}

// expand replaces the names of the directories with their paths below root.
func expand(text, root string) string {
	for name, variable := range directories() {
		text = strings.ReplaceAll(text, variable, filepath.Join(root, name))
	}
	return text
}

// configure fills in what the target section says of the configuration.
func (f *fixture) configure(c *checks.Check, t *checks.Target, root string) error {
	said := f.target.conf
	t.StateDir, t.Root = filepath.Join(root, "state"), filepath.Join(root, "host")
	if said.options != "" {
		raw := json.RawMessage(fmt.Sprintf("{%q: %s}", c.Name, expand(said.options, root)))
		settings, err := guard.ParseSettings(nil, raw, []guard.Declaration{c.Declaration()})
		if err != nil {
			return err
		}
		t.Options = settings.Options
	}
	t.Conf = checks.Conf{Network: said.network, Runtime: conflist.NewRuntime(said.runtime)}
	t.Conf.Runtime.BinDirs = []string{filepath.Join(root, "bin")}
	if said.caller != "" {
		t.Conf.Caller = func() (string, error) { return said.caller, nil }
	}
	if said.crio != nil {
		t.Conf.CRIODefaultNetwork = func() (string, error) { return *said.crio, nil }
	}
	look := said.inspection()
	t.Conf.Inspect = checks.Inspections{Runtime: look, Chain: look, Pods: look, Changes: look}
	t.Conf.Loopback = said.loopbackOf(filepath.Join(root, "bin", "loopback"))
	var err error
	t.Conf.Dir, err = f.confDir(filepath.Join(root, "net.d"))
	return err
}

// confDir returns the conf dir of the target section.
func (f *fixture) confDir(dir string) (string, error) {
	said := f.target.conf.dir
	if said == "" {
		said = "none"
		for name := range f.files {
			if strings.HasPrefix(name, "net.d/") {
				said = "directory"
			}
		}
	}
	switch said {
	case "none":
		return "", nil
	case "missing":
		return dir + ".missing", nil
	case "file":
		path := dir + ".file"
		return path, os.WriteFile(path, nil, 0o600)
	}
	return dir, nil
}

func (c conf) loopbackOf(path string) func() (checks.Loopback, error) {
	switch c.loopback {
	case "", "none":
		return nil
	case "unreadable":
		return func() (checks.Loopback, error) { return checks.Loopback{}, errors.New("permission denied") }
	}
	l := checks.Loopback{Path: path, Ours: c.loopback == "ours", Internal: c.loopback == "internal"}
	if c.loopback == "missing" {
		l.Path = ""
	}
	return func() (checks.Loopback, error) { return l, nil }
}

// inspection returns a look that finds what the target section says.
func (c conf) inspection() checks.Inspection {
	found := []guard.Finding{{Object: "something", Problem: "is wrong", Remedy: "Mend it.", Minor: c.inspect == "minor"}}
	var err error
	switch c.inspect {
	case "", "none":
		return nil
	case "nothing":
		found = nil
	case "unreadable":
		found, err = nil, errors.New("permission denied")
	}
	return func(context.Context) ([]guard.Finding, error) { return found, err }
}
