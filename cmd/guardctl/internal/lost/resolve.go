// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// minShort is the shortest part of an ID that is resolved. crictl prints 13
// characters, docker and nerdctl 12.
const minShort = 6

// ErrUnknown means that nobody on this node knows the attachment.
var ErrUnknown = errors.New("no attachment is known")

// Resolve completes a container ID of which only the beginning was given, and
// finds the cache that has the attachment. The error wraps ErrUnknown where
// neither ledger nor cache has it; then the attachment is as it was given, with
// the usual cache. It wraps fs.ErrPermission as well where this user may not read all
// of them.
func Resolve(a chain.Attachment, stateDir string) (chain.Attachment, error) {
	ids, unreadable, err := candidates(a, stateDir)
	if err != nil {
		return a, err
	}
	var found []string
	for id := range ids {
		if id == a.ContainerID {
			found = []string{id}
			break
		}
		if len(a.ContainerID) >= minShort && strings.HasPrefix(id, a.ContainerID) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		a.ContainerID = found[0]
		a.CacheDir = usual(a)
		return a, nil
	case 0:
		if unreadable != nil {
			a.CacheDir = usual(a)
			return a, fmt.Errorf("%w to this user: %w", ErrUnknown, unreadable)
		}
		err = fmt.Errorf("%w: neither %s nor the cache in %s has container %s with interface %s in network %s", ErrUnknown,
			stateDir, strings.Join(cacheDirs(a), ", "), a.ContainerID, a.IfName, a.Network)
		a.CacheDir = usual(a)
		return a, err
	}
	slices.Sort(found)
	return a, fmt.Errorf("container ID %s is ambiguous in network %s; it may be one of %s", a.ContainerID, a.Network, strings.Join(found, ", "))
}

// LooksShort reports whether an ID looks like the beginning of one: runtimes make
// IDs of 64 hexadecimal digits, and their tools print the first 12 or 13.
func LooksShort(id string) bool {
	return len(id) >= 12 && len(id) < 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// candidates returns the container IDs with the network and interface of a. Unreadable
// says what this user may not read, for lack of permission.
func candidates(a chain.Attachment, stateDir string) (ids map[string]bool, unreadable, err error) {
	ids = map[string]bool{}
	keys, err := ledger.Ledger(stateDir).Keys()
	switch {
	case errors.Is(err, fs.ErrPermission):
		unreadable = err
	case err != nil:
		return nil, nil, err
	}
	for _, k := range keys {
		if k.Network == a.Network && k.IfName == a.IfName {
			ids[k.ContainerID] = true
		}
	}
	for _, dir := range cacheDirs(a) {
		entries, err := cached(dir)
		switch {
		case errors.Is(err, fs.ErrPermission):
			unreadable = errors.Join(unreadable, err)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			if id, ok := idIn(name, entries[name], a.Network, a.IfName); ok {
				ids[id] = true
			}
		}
	}
	return ids, unreadable, nil
}

// cacheDirs lists where the entry may be.
func cacheDirs(a chain.Attachment) []string {
	if a.CacheDir != "" {
		return []string{filepath.Clean(a.CacheDir)}
	}
	return release.CacheDirs()
}

// usual returns the cache that has the attachment, or the usual one.
func usual(a chain.Attachment) string {
	return release.Request{ContainerID: a.ContainerID, IfName: a.IfName, Network: a.Network, CacheDir: a.CacheDir}.Cache()
}
