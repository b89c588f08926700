// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// Intent returns what this node shows of the operator's intent, besides the files of s.
func (n *Node) Intent(s conflist.Selection) assess.Intent {
	in := assess.Intent{
		Record: n.Record.Intent(n.Site.ConfDir), Uninstalled: n.isUninstalled(), DaemonGone: n.missingMultus(s), Attachments: inspect.MultusNetworks(n.Site, s),
		ConfFlags: n.Given("conf-dir"), InstallFlags: n.Given(),
	}
	if e, err := n.GuardEntry(); err == nil {
		o := guard.OptionsOf[*checks.ConflistOptions](e.Settings.Options)
		in.Allow, in.NoOtherFile = o.Allow, o.Scope == checks.ScopeAny
	}
	return in
}

// isUninstalled reports whether guardctl uninstall took the guard out of the chain and
// left only the programs, for now.
func (n *Node) isUninstalled() bool {
	return slices.ContainsFunc(n.Site.Runtime.BinDirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, checks.PassThroughMarker))
		return err == nil
	})
}

// missingMultus returns what the selected Multus cannot work without and is missing: the
// socket of the thick plugin's daemon, or the thin plugin's kubeconfig. It returns "" if
// nothing is, if Multus is not selected, and if the node may not be running.
func (n *Node) missingMultus(s conflist.Selection) string {
	e := s.Effective()
	if e == nil || !e.Multus() || n.Assumed {
		return ""
	}
	l, err := s.Read(e.Name)
	if err != nil {
		return ""
	}
	h := l.MultusConfig()
	missing := func(path string) bool {
		_, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	}
	if slices.Contains(e.Plugins, "multus-shim") {
		dirs := []string{"/run/multus", h.SocketDir, strings.TrimPrefix(h.SocketDir, "/host")}
		if !slices.ContainsFunc(dirs, func(dir string) bool { return dir != "" && !missing(filepath.Join(dir, "multus.sock")) }) {
			return "the socket of its daemon, /run/multus/multus.sock, is missing"
		}
		return ""
	}
	if h.Kubeconfig != "" && filepath.IsAbs(h.Kubeconfig) && missing(h.Kubeconfig) && missing(strings.TrimPrefix(h.Kubeconfig, "/host")) {
		return fmt.Sprintf("its kubeconfig, %s, is missing", printable.String(h.Kubeconfig))
	}
	return ""
}

// A GuardEntry is the configuration of cni-guard in a conflist: its entry there, or the
// defaults.
type GuardEntry struct {
	checks.Entry
	From string // path of the file; "" for the defaults
}

// GuardEntry returns the guard's entry in the effective file or, if that has none, in
// the first file that has one; else the defaults. An error says that the entry is not
// valid; the result is what could be read of it.
func (n *Node) GuardEntry() (GuardEntry, error) {
	names, _ := n.Site.Runtime.Names(n.Site.ConfDir) // the check conflist reports the error
	if file, err := conflist.Effective(n.Site.ConfDir, n.Site.Runtime); err == nil {
		names = slices.Insert(names, 0, file.Name)
	}
	for _, name := range names {
		if e, err := readGuardEntry(n.Site.Runtime, n.Site.ConfDir, name); e.From != "" {
			return e, err
		}
	}
	return GuardEntry{Entry: checks.DefaultEntry()}, nil
}

// readGuardEntry returns the guard's entry in one file: the last, if there are two. From
// is "" if there is none.
func readGuardEntry(r conflist.Runtime, dir, name string) (GuardEntry, error) {
	e := GuardEntry{Entry: checks.DefaultEntry()}
	list, err := r.Read(dir, name)
	if err != nil {
		return e, fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
	}
	entry, problems, isGuarded := checks.EntryIn(list)
	if e.Entry = entry; isGuarded {
		e.From = filepath.Join(dir, name)
	}
	if text := checks.EntryErrors(problems); text != "" {
		return e, fmt.Errorf("read the entry of cni-guard in %s: %s", e.From, text)
	}
	return e, nil
}
