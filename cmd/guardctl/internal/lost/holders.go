// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// Addrs returns the pod's addresses: those given, or as recorded or cached.
func (k Known) Addrs(given []netip.Addr) []netip.Addr {
	addrs := slices.Concat(given, k.entry.Addrs)
	if k.record != nil {
		for _, p := range k.record.Addrs {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

// since is when the pod got its addresses; the zero time where it is not known.
func (k Known) since() time.Time {
	if k.record != nil && !k.record.Added.IsZero() && (k.entry.Written.IsZero() || k.record.Added.Before(k.entry.Written)) {
		return k.record.Added
	}
	return k.entry.Written
}

// holder names another container that got one of the addresses after this one
// did, and so has it now; "" where there is none. An older attachment with the same
// address is a leftover, as the address was given to this one after it. An error
// means that it cannot be told: only the cache that has this attachment is known to
// have all others.
func (k Known) holder(addrs []netip.Addr) (string, error) {
	if len(addrs) == 0 {
		return "", errors.New("the pod's address is not known")
	}
	since := k.since()
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

func (k Known) recordedHolder(addrs []netip.Addr, since time.Time) (string, error) {
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
				return fmt.Sprintf("%s is of container %s in network %s now", p.Addr(), r.ContainerID, r.Network), nil
			}
		}
	}
	return "", nil
}

func (k Known) cachedHolder(addrs []netip.Addr, since time.Time) (string, error) {
	for _, dir := range slices.Compact(append([]string{k.Attachment.CacheDir}, release.CacheDirs()...)) {
		entries, err := cached(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			// An entry without an ID is of a runtime older than libcni 0.7, which
			// no node has beside this one.
			if e.ContainerID == "" || e.ContainerID == k.Attachment.ContainerID || e.Written.Before(since) {
				continue
			}
			for _, addr := range e.Addrs {
				if slices.Contains(addrs, addr) {
					return fmt.Sprintf("%s is of container %s in network %s now", addr, e.ContainerID, e.Network), nil
				}
			}
		}
	}
	return "", nil
}
