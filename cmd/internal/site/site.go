// SPDX-License-Identifier: Apache-2.0

// Package site finds what there is on a node: which runtime selects network
// configurations, in which directory, and where its plugins are. It asks which of them
// runs, and reads its command line, its environment and its configuration: that of
// containerd (what k3s, RKE2, microk8s and kind write included), of CRI-O and of
// cri-dockerd.
package site

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A Site is where things are on a node.
type Site struct {
	// Runtime is what selects a configuration; its BinDirs are where it looks for
	// plugins, in its order.
	Runtime conflist.Runtime
	// Name is the product: "containerd", "k3s", "CRI-O"; Unit its unit of systemd.
	Name, Unit string
	// Socket is where it serves CRI; "" if it does not run.
	Socket  string
	ConfDir string
	// BinDir is where our programs belong: the first of Runtime.BinDirs that exists.
	BinDir string
	// CacheDir is the one of the runtime's libcni, which has its attachments in
	// the directory "results".
	CacheDir string
	// ClassDirs are the config directories of runtime classes that have one of their own
	// (containerd's cni_conf_dir).
	ClassDirs []string
	// InternalLoopback says that containerd 2 brings up lo itself, and calls no
	// loopback plugin (use_internal_loopback).
	InternalLoopback bool
	// Running is what the runtime says of itself; nil where it was not asked, or
	// did not answer.
	Running *Running
	// How says why we think so, a sentence each, for people.
	How []string
}

// Overrides are what the operator says of the node; it beats what is found. Zero
// values say nothing. Paths are taken as they are, without the root of Find.
type Overrides struct {
	Runtime conflist.Kind
	// Assumed reports whether Runtime is the default of the caller, and not named by the user.
	Assumed bool
	// Socket is where the runtime serves CRI, if that is not the usual place.
	Socket         string
	ConfDir        string
	BinDirs        []string
	CacheDir       string
	MaxConfNum     *int
	DefaultNetwork *string
}

// Find looks at the node whose file system is at root; "" is "/". Where two
// runtimes run, or none runs and two are configured, the error names both, and
// the flag to choose by.
func Find(root string, o Overrides) (Site, error) { return find(root, o, func(*Site, string) {}) }

// find asks the runtime between what its configuration and what the operator says.
func find(root string, o Overrides, ask func(*Site, string)) (Site, error) {
	if root == "" {
		root = "/"
	}
	p, err := pick(root, o)
	if err != nil {
		return Site{}, err
	}
	s, err := p.describe(root)
	if err != nil {
		return Site{}, fmt.Errorf("read configuration of %s: %w", p.name, err)
	}
	if o.Assumed {
		s.How = nil // nothing was found, and the caller says so
	}
	ask(&s, root)
	s.under(root)
	o.apply(&s)
	s.chooseBinDir()
	return s, nil
}

// under puts the root in front of all directories.
func (s *Site) under(root string) {
	s.ConfDir, s.CacheDir = filepath.Join(root, s.ConfDir), filepath.Join(root, s.CacheDir)
	if s.Socket != "" {
		s.Socket = filepath.Join(root, s.Socket)
	}
	for i, dir := range s.ClassDirs {
		s.ClassDirs[i] = filepath.Join(root, dir)
	}
	for i, dir := range s.Runtime.BinDirs {
		s.Runtime.BinDirs[i] = filepath.Join(root, dir)
	}
}

// apply lets the operator's word count.
func (o Overrides) apply(s *Site) {
	said := func(what, value string) {
		s.How = append(s.How, fmt.Sprintf("%s is %s, as given on the command line", what, value))
	}
	if o.ConfDir != "" {
		s.ConfDir = o.ConfDir
		said("the config directory", o.ConfDir)
	}
	if len(o.BinDirs) > 0 {
		s.Runtime.BinDirs = slices.Clone(o.BinDirs)
		said("the plugin directory", filepath.Join(o.BinDirs[0]))
	}
	if o.CacheDir != "" {
		s.CacheDir = o.CacheDir
		said("the cache", o.CacheDir)
	}
	if o.MaxConfNum != nil {
		s.Runtime.MaxConfNum = *o.MaxConfNum
		said("max_conf_num", fmt.Sprint(*o.MaxConfNum))
	}
	if o.DefaultNetwork != nil {
		s.Runtime.DefaultNetwork = *o.DefaultNetwork
		said("cni_default_network", fmt.Sprintf("%q", *o.DefaultNetwork))
	}
}

// chooseBinDir takes the first directory that exists: where the runtime looks first,
// and needs no other to be made.
func (s *Site) chooseBinDir() {
	s.BinDir = s.Runtime.BinDirs[0]
	if len(s.Runtime.BinDirs) == 1 {
		return
	}
	for _, dir := range s.Runtime.BinDirs {
		if isDir(dir) {
			s.BinDir = dir
			break
		}
	}
	s.How = append(s.How, fmt.Sprintf("it looks for plugins in %d directories; cni-guard belongs in %s, the first that exists", len(s.Runtime.BinDirs), s.BinDir))
}

// ErrNone says that no runtime was found.
var ErrNone = errors.New("no containerd, CRI-O or cri-dockerd runs or is configured here")

// pick returns the product that is on the node: the one that runs, or, where none
// does, the one that is configured.
func pick(root string, o Overrides) (product, error) {
	if o.Socket != "" {
		return at(root, o)
	}
	for _, is := range []func(product) bool{
		func(p product) bool { return p.running(root) },
		func(p product) bool { return p.configured(root) && !p.criDisabled(root) },
	} {
		found := matching(o.Runtime, is)
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			if o.Runtime != 0 && o.ConfDir != "" && len(o.BinDirs) > 0 {
				return plain(o.Runtime), nil // there is nothing left to choose
			}
			return product{}, ambiguous(found)
		}
	}
	if o.Runtime != 0 {
		return plain(o.Runtime), nil
	}
	return product{}, fmt.Errorf("find runtime: %w: name one with --runtime containerd, crio or cri-dockerd", ErrNone)
}

// at returns the product that serves a socket: the one whose socket it mostly is, or
// a plain one of the kind that the operator names.
func at(root string, o Overrides) (product, error) {
	usual := matching(o.Runtime, func(p product) bool { return slices.Contains(p.sockets, o.Socket) })
	for _, p := range usual {
		if p.configured(root) || len(usual) == 1 {
			p.sockets = []string{o.Socket}
			return p, nil
		}
	}
	if o.Runtime == 0 {
		return product{}, fmt.Errorf("find runtime: %s is no usual socket of a runtime: say which runtime that is, by --runtime", o.Socket)
	}
	p := plain(o.Runtime)
	p.sockets = []string{o.Socket}
	return p, nil
}

// matching returns the products of a kind, or of any for the zero Kind.
func matching(kind conflist.Kind, is func(product) bool) (found []product) {
	for _, p := range products() {
		if (kind == 0 || p.kind == kind) && is(p) {
			found = append(found, p)
		}
	}
	return found
}

// plain is a product that nothing is known of but its kind.
func plain(kind conflist.Kind) (p product) {
	for _, p = range products() {
		if p.kind == kind && p.confDir == "/etc/cni/net.d" && p.name != "RKE2" {
			break
		}
	}
	p.note = ""
	return p
}

func ambiguous(found []product) error {
	var names []string
	flag := "--runtime"
	for _, p := range found {
		names = append(names, fmt.Sprintf("%s (%s)", p.name, p.confDir))
		if p.kind == found[0].kind {
			flag = "--conf-dir and --bin-dir, and --runtime " + p.kind.String()
		}
	}
	for _, p := range found {
		if p.kind != found[0].kind {
			flag = "--runtime " + found[0].kind.String() + " or --runtime " + p.kind.String()
		}
	}
	return fmt.Errorf("find runtime: there are several here, %s: say which is kubelet's by %s", strings.Join(names, " and "), flag)
}

// running reports whether a process listens at one of the sockets: one that was
// stopped leaves its socket behind. k3s and RKE2 have the same socket, and a
// containerd may be there for docker only.
func (p product) running(root string) bool {
	if strings.Contains(p.sockets[0], "/k3s/") && !p.configured(root) || p.criDisabled(root) {
		return false
	}
	for _, socket := range p.sockets {
		if listens(filepath.Join(root, socket)) {
			return true
		}
	}
	return false
}

// evidence says why the product was picked.
func (p product) evidence(root string) string {
	switch {
	case p.running(root):
		return fmt.Sprintf("the runtime is %s: it answers at %s", p.name, p.sockets[0])
	case p.configured(root) && p.config != "" && isFile(filepath.Join(root, p.config)):
		return fmt.Sprintf("the runtime is %s: it does not run, but %s is there", p.name, p.config)
	case p.configured(root):
		return fmt.Sprintf("the runtime is %s: it does not run, but %s is there", p.name, p.dropIns)
	}
	return fmt.Sprintf("the runtime is %s, as given on the command line; it was not found here, so its default settings are assumed", p.name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
