// SPDX-License-Identifier: Apache-2.0

// Package site finds what there is on a node: which runtime selects network
// configurations, in which folder, and where its plugins are. It asks which of them
// runs, and reads its command line, its environment and its configuration: that of
// containerd (what k3s, RKE2, microk8s and kind write included), of CRI-O and of
// cri-dockerd.
package site

import (
	"fmt"
	"path/filepath"
	"slices"

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
	// the folder "results".
	CacheDir string
	// ClassDirs are the conf dirs of runtime classes that have one of their own
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
	// Assumed says that nobody named Runtime: the caller takes it for want of another.
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

// under puts the root in front of all folders.
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
		said("the conf dir", o.ConfDir)
	}
	if len(o.BinDirs) > 0 {
		s.Runtime.BinDirs = slices.Clone(o.BinDirs)
		said("the folder of plugins", filepath.Join(o.BinDirs[0]))
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

// chooseBinDir takes the first folder that exists: where the runtime looks first,
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
	s.How = append(s.How, fmt.Sprintf("it looks for plugins in %d folders; cni-guard belongs in %s, the first that exists", len(s.Runtime.BinDirs), s.BinDir))
}
