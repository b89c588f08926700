// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/inspect"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// assess judges the folder with all that is known on this node.
func (n *confNode) assess() (assess.Assessment, error) {
	s, err := conflist.Select(n.dir, n.runtime)
	if err != nil {
		return assess.Assessment{}, err
	}
	return assess.Assess(s, n.intent(s)), nil
}

// intent collects what is known of the operator's wishes beside the files.
func (n *confNode) intent(s conflist.Selection) assess.Intent {
	in := assess.Intent{
		Record: n.record.Intent(n.dir), Uninstalled: n.leaving(), DaemonGone: n.daemonGone(s), Attachments: inspect.MultusNetworks(n.site, s),
		ConfFlags: n.Given("conf-dir"), InstallFlags: n.Given(),
	}
	if e, err := n.guardEntry(); err == nil {
		o := guard.OptionsOf[*checks.ConflistOptions](e.Settings.Options)
		in.Allow, in.NoOtherFile = o.Allow, o.Scope == checks.ScopeAny
	}
	return in
}

// leaving reports whether guardctl uninstall was run, and only the programs are left
// to go.
func (n *confNode) leaving() bool {
	return slices.ContainsFunc(n.runtime.BinDirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, checks.PassThroughMarker))
		return err == nil
	})
}

// daemonGone says what is missing of the Multus that the runtime takes: the socket of
// the thick plugin's daemon, or the thin plugin's way to the API server. It says
// nothing of a node that may not be running.
func (n *confNode) daemonGone(s conflist.Selection) string {
	e := s.Effective()
	if e == nil || !e.Multus() || n.assumed {
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
			return "the socket of its daemon, /run/multus/multus.sock, is not there"
		}
		return ""
	}
	if h.Kubeconfig != "" && filepath.IsAbs(h.Kubeconfig) && missing(h.Kubeconfig) && missing(strings.TrimPrefix(h.Kubeconfig, "/host")) {
		return fmt.Sprintf("its kubeconfig, %s, is not there", printable.String(h.Kubeconfig))
	}
	return ""
}

// couldNotRead explains an error about the folder itself.
func (n *confNode) couldNotRead(err error) error {
	exit := &cli.ExitError{Code: cli.ExitUnknown, Err: err}
	if errors.Is(err, fs.ErrPermission) {
		exit.Hint = cli.AsRoot
	}
	return exit
}
