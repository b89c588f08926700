// SPDX-License-Identifier: Apache-2.0

// Package attachment collects what the node knows about an attachment that is to be
// released: which attachment is meant, whether its sandbox is alive, whether another
// pod has its address, and how far an earlier release got.
package attachment

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// Info is what the ledger and the runtime's cache know about an attachment.
type Info struct {
	Attachment chain.Attachment

	ledger  ledger.Ledger
	record  *ledger.Record // nil: none
	boot    string         // boot ID, or "" if it cannot be read
	cached  bool           // the runtime's cache has an entry
	entry   Cached
	readErr error // what could not be read
}

// Lookup reads the record and the cache entry of the attachment.
func Lookup(a chain.Attachment, stateDir string) Info {
	k := Info{Attachment: a, ledger: ledger.Ledger(stateDir)}
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
	file := strings.Join([]string{a.Network, a.ContainerID, a.IfName}, "-")
	switch c, err := readCached(filepath.Join(a.CacheDir, "results", file)); {
	case err == nil:
		k.cached, k.entry = true, c
	case !errors.Is(err, fs.ErrNotExist):
		errs = append(errs, err)
	}
	if k.isOfEarlierContainer(k.entry.Netns) {
		k.record = nil
	}
	k.readErr = errors.Join(errs...)
	return k
}

// isOfEarlierContainer reports whether the record is of an earlier container with the
// same ID, which had another namespace path: podman and nerdctl keep the ID when they
// restart a container. Its cookie proves nothing about the present sandbox.
func (k Info) isOfEarlierContainer(netns string) bool {
	r := k.record
	return r != nil && r.Retired && r.Netns != "" && netns != "" && r.Netns != netns
}

// Err returns what could not be read, or nil.
func (k Info) Err() error { return k.readErr }

// IsReleased reports whether the attachment was released completely before. A DEL with
// another path than the released one may be for a later container: podman and nerdctl
// keep the ID when they restart a container.
func (k Info) IsReleased(netns string) bool {
	if k.record == nil || !k.record.Released {
		return false
	}
	return netns == "" || k.record.Netns == "" || netns == k.record.Netns
}

// IsRecorded reports whether the ledger has a record of the attachment.
func (k Info) IsRecorded() bool { return k.record != nil }

// Pod returns "namespace/name" as ADD recorded it, or "".
func (k Info) Pod() string {
	if k.record == nil {
		return ""
	}
	return k.record.Pod
}

// isOfEarlierBoot reports whether the record is of an earlier boot, whose namespaces
// no longer exist. It reports false if the boot ID cannot be read.
func (k Info) isOfEarlierBoot() bool {
	return k.record != nil && k.boot != "" && k.record.BootID != k.boot
}

func (k Info) key() ledger.Key {
	return ledger.Key{Network: k.Attachment.Network, ContainerID: k.Attachment.ContainerID, IfName: k.Attachment.IfName}
}

// paths returns the namespace paths of the sandbox, without duplicates.
func (k Info) paths() []string {
	var all, paths []string
	if k.record != nil {
		all = append(all, k.record.Netns)
	}
	all = append(all, k.entry.Netns)
	for _, i := range k.entry.interfaces {
		if strings.HasPrefix(i.Sandbox, "/") { // VM runtimes store other values
			all = append(all, i.Sandbox)
		}
	}
	for _, p := range all {
		if p != "" && !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

// Addrs returns the pod's addresses: the given, the recorded and the cached ones.
func (k Info) Addrs(given []netip.Addr) []netip.Addr {
	addrs := slices.Concat(given, k.entry.addrs)
	if k.record != nil {
		for _, p := range k.record.Addrs {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

// attachedAt returns when the pod got its addresses, or the zero time if unknown.
func (k Info) attachedAt() time.Time {
	if k.record != nil && !k.record.Added.IsZero() && (k.entry.Written.IsZero() || k.record.Added.Before(k.entry.Written)) {
		return k.record.Added
	}
	return k.entry.Written
}

// addressHolder returns a clause that names another container which was given one of
// the addresses after this attachment, or "" if there is none. An older attachment
// with the address is a leftover. The error means that the holder is unknown: only the
// cache that has this attachment is certain to have all others.
func (k Info) addressHolder(addrs []netip.Addr) (string, error) {
	if len(addrs) == 0 {
		return "", errors.New("the pod's address is unknown")
	}
	since := k.attachedAt()
	holder, recordErr := k.recordedHolder(addrs, since)
	if holder != "" {
		return holder, nil
	}
	holder, cacheErr := k.cachedHolder(addrs, since)
	switch {
	case holder != "":
		return holder, nil
	case cacheErr != nil:
		return "", cacheErr
	case k.cached:
		return "", nil
	case recordErr != nil:
		return "", recordErr
	}
	return "", errors.New("the runtime's cache does not have the pod")
}

func (k Info) recordedHolder(addrs []netip.Addr, since time.Time) (string, error) {
	if k.boot == "" {
		return "", errors.New("the boot ID is unknown, so the records prove nothing")
	}
	records, err := k.ledger.Live()
	if err != nil {
		return "", err
	}
	for _, r := range records {
		if r.ContainerID == k.Attachment.ContainerID || r.BootID != k.boot || r.Added.Before(since) {
			continue
		}
		for _, p := range r.Addrs {
			if slices.Contains(addrs, p.Addr().Unmap()) {
				return heldBy(p.Addr(), r.ContainerID, r.Network), nil
			}
		}
	}
	return "", nil
}

func (k Info) cachedHolder(addrs []netip.Addr, since time.Time) (string, error) {
	for _, dir := range slices.Compact(append([]string{k.Attachment.CacheDir}, release.CacheDirs()...)) {
		entries, err := ListCached(dir)
		if err != nil {
			return "", err
		}
		for _, c := range entries {
			if c.ContainerID == k.Attachment.ContainerID || c.Written.Before(since) {
				continue
			}
			for _, addr := range c.addrs {
				if slices.Contains(addrs, addr) {
					return heldBy(addr, c.ContainerID, c.Network), nil
				}
			}
		}
	}
	return "", nil
}

func heldBy(addr netip.Addr, containerID, network string) string {
	return fmt.Sprintf("%s now belongs to container %s in network %s", addr, containerID, network)
}
