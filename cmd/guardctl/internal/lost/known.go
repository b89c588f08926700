// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Known is what this node knows of an attachment.
type Known struct {
	Attachment chain.Attachment

	ledger  ledger.Ledger
	record  *ledger.Record // nil: none
	boot    string         // BootID; "" where it cannot be read
	cached  bool           // the runtime's cache has an entry
	entry   entry
	trouble error // what could not be read
}

// Look looks the attachment up in the ledger and in the runtime's cache.
func Look(a chain.Attachment, stateDir string) Known {
	k := Known{Attachment: a, ledger: ledger.Ledger(stateDir)}
	var errs []error
	var err error
	if k.boot, err = netstate.BootID(); err != nil {
		errs = append(errs, err)
	}
	switch r, err := k.ledger.Get(k.key()); {
	case err == nil:
		k.record = r
	case !errors.Is(err, fs.ErrNotExist):
		errs = append(errs, err)
	}
	switch e, err := readEntry(filepath.Join(a.CacheDir, "results", k.entryName())); {
	case err == nil:
		k.cached, k.entry = true, e
	case !errors.Is(err, fs.ErrNotExist):
		errs = append(errs, err)
	}
	if k.ofAnotherLife(k.entry.Netns) {
		k.record = nil
	}
	k.trouble = errors.Join(errs...)
	return k
}

// ofAnotherLife reports whether the record is that of an earlier container with the
// same ID, which had another path: podman and nerdctl keep the ID when they restart
// one. Its cookie says nothing of the sandbox that there is now.
func (k Known) ofAnotherLife(netns string) bool {
	r := k.record
	return r != nil && r.Retired && r.Netns != "" && netns != "" && r.Netns != netns
}

// Err says what could not be read; nil where all could.
func (k Known) Err() error { return k.trouble }

// Released reports whether the attachment was released in full before. A DEL with
// another path than the one that was released may be of a later container: podman
// and nerdctl keep the ID when they restart one.
func (k Known) Released(netns string) bool {
	if k.record == nil || !k.record.Released {
		return false
	}
	return netns == "" || k.record.Netns == "" || netns == k.record.Netns
}

// earlier reports whether the record is of an earlier boot, of which no namespace
// is left.
func (k Known) earlier() bool { return k.record != nil && k.record.BootID != k.boot }

func (k Known) key() ledger.Key {
	return ledger.Key{Network: k.Attachment.Network, ContainerID: k.Attachment.ContainerID, IfName: k.Attachment.IfName}
}

func (k Known) entryName() string {
	return strings.Join([]string{k.Attachment.Network, k.Attachment.ContainerID, k.Attachment.IfName}, "-")
}

// paths lists the paths that the sandbox had, without repeats.
func (k Known) paths() []string {
	var all, paths []string
	if k.record != nil {
		all = append(all, k.record.Netns)
	}
	all = append(all, k.entry.Netns)
	for _, i := range k.entry.Interfaces {
		if strings.HasPrefix(i.Sandbox, "/") { // VM runtimes put other things there
			all = append(all, i.Sandbox)
		}
	}
	seen := map[string]bool{"": true}
	for _, p := range all {
		if !seen[p] {
			seen[p] = true
			paths = append(paths, p)
		}
	}
	return paths
}

// Recorded reports whether the ledger has the attachment.
func (k Known) Recorded() bool { return k.record != nil }

// Pod returns "namespace/name" as ADD recorded it; "" where it did not.
func (k Known) Pod() string {
	if k.record == nil {
		return ""
	}
	return k.record.Pod
}

// Sees returns where the attachment's interface has an address, in a namespace that
// can be seen from here, as a clause for people; "" where none has it. It is for an
// attachment of which nothing but a reservation is known.
func (k Known) Sees(addr netip.Addr) string {
	spaces := findSpaces()
	defer spaces.close()
	for _, at := range spaces.all {
		if hasAddr(at.netns, k.Attachment.IfName, addr) {
			return at.where
		}
	}
	return ""
}

func hasAddr(n *netstate.Netns, ifName string, addr netip.Addr) bool {
	view, err := n.View()
	if err != nil {
		return false
	}
	defer view.Close()
	addrs, err := view.Addrs(ifName)
	return err == nil && slices.ContainsFunc(addrs, func(p netip.Prefix) bool { return p.Addr().Unmap() == addr.Unmap() })
}
