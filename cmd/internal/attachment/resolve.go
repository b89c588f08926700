// SPDX-License-Identifier: Apache-2.0

package attachment

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// minPrefix is the length of the shortest container ID prefix that Resolve completes.
// crictl prints 13 characters, docker and nerdctl 12.
const minPrefix = 6

// ErrUnknown means that neither the ledger nor a cache has the attachment.
var ErrUnknown = errors.New("no attachment is known")

// Resolve completes a container ID of which only the beginning is given, and finds the
// cache that has the attachment. The error wraps ErrUnknown if neither the ledger nor a
// cache has it; the attachment is then returned as given, with the default cache. The
// error also wraps fs.ErrPermission if this user cannot read all of them.
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
		if len(a.ContainerID) >= minPrefix && strings.HasPrefix(id, a.ContainerID) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		a.ContainerID = found[0]
		a.CacheDir = cacheDirOf(a)
		return a, nil
	case 0:
		if unreadable != nil {
			a.CacheDir = cacheDirOf(a)
			return a, fmt.Errorf("%w to this user: %w", ErrUnknown, unreadable)
		}
		err = fmt.Errorf("%w: neither %s nor the cache in %s has container %s with interface %s in network %s", ErrUnknown,
			stateDir, strings.Join(cacheDirs(a), ", "), a.ContainerID, a.IfName, a.Network)
		a.CacheDir = cacheDirOf(a)
		return a, err
	}
	slices.Sort(found)
	return a, fmt.Errorf("container ID %s is ambiguous in network %s; it may be one of %s", a.ContainerID, a.Network, strings.Join(found, ", "))
}

// IsShortID reports whether an ID looks like the beginning of a container ID: runtimes
// use 64 hexadecimal digits, and their tools print the first 12 or 13.
func IsShortID(id string) bool {
	return len(id) >= 12 && len(id) < 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// candidates returns the container IDs that have an attachment with the network and
// interface of a. The error unreadable names what this user has no permission to read.
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
		entries, err := readCache(dir)
		switch {
		case errors.Is(err, fs.ErrPermission):
			unreadable = errors.Join(unreadable, err)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, nil, err
		}
		for _, c := range entries {
			if id, ok := c.containerIDFor(a.Network, a.IfName); ok {
				ids[id] = true
			}
		}
	}
	return ids, unreadable, nil
}

// cacheDirs returns the caches that may have the attachment.
func cacheDirs(a chain.Attachment) []string {
	if a.CacheDir != "" {
		return []string{filepath.Clean(a.CacheDir)}
	}
	return release.CacheDirs()
}

// cacheDirOf returns the cache that has the attachment, or the default one.
func cacheDirOf(a chain.Attachment) string {
	return release.Request{ContainerID: a.ContainerID, IfName: a.IfName, Network: a.Network, CacheDir: a.CacheDir}.Cache()
}
