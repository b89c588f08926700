// SPDX-License-Identifier: Apache-2.0

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

// ErrNone says that no runtime was found.
var ErrNone = errors.New("no containerd, CRI-O or cri-dockerd runs or is configured here")

// pick gives the product that is on the node: the one that runs, or, where none
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

// matching gives the products of a kind, or of any for the zero Kind.
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

// running asks whether somebody listens at one of the sockets: one that was
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
