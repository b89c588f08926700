// SPDX-License-Identifier: Apache-2.0

package pluginquery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Cache remembers which versions plugins support for as long as their files stay the same,
// so that a daemon does not start each plugin at every look. The zero value is empty. It is
// safe for concurrent use.
type Cache struct {
	mu      sync.Mutex
	plugins map[string]cached // by path
}

type cached struct {
	file     identity
	versions []string
}

// An identity changes when the path leads to another file, or when the content of the file
// changes: a program cannot set the time of the last change (ctime).
type identity struct {
	dev, ino uint64
	size     int64
	changed  unix.Timespec
}

func identify(path string) (identity, bool) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return identity{}, false
	}
	return identity{uint64(st.Dev), st.Ino, st.Size, st.Ctim}, true
}

// Versions returns what the function Versions does, and runs the plugin only if its file has not
// answered before. An error is not remembered.
func (c *Cache) Versions(ctx context.Context, binary string) ([]string, error) {
	before, ok := identify(binary)
	c.mu.Lock()
	known := c.plugins[binary]
	c.mu.Unlock()
	if ok && known.file == before {
		return known.versions, nil
	}
	versions, err := Versions(ctx, binary)
	if after, still := identify(binary); err == nil && ok && still && after == before {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.plugins == nil {
			c.plugins = map[string]cached{}
		}
		c.plugins[binary] = cached{before, versions}
	}
	return versions, err
}

// SupportsFunc returns a function for conflist.Runtime.Supports: its error says why a
// plugin does not support a version of the spec. It runs each binary, as CRI-O and
// cri-dockerd do before they load a file, waits at most timeout for the answer, and
// remembers it: an error for as long as the function is used. A plugin that does not answer in
// time, or could not be run for a shortage of this process, is assumed to support all
// versions: a busy node is no proof that the runtime refuses the file, and the check
// chain-plugins reports it as unknown. The function is safe for concurrent use.
func (c *Cache) SupportsFunc(timeout time.Duration) func(binary, cniVersion string) error {
	var mu sync.Mutex
	failed := map[string]error{}
	return func(binary, cniVersion string) error {
		mu.Lock()
		err := failed[binary]
		mu.Unlock()
		var versions []string
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			versions, err = c.Versions(ctx, binary)
		}
		if err != nil {
			mu.Lock()
			failed[binary] = err
			mu.Unlock()
		}
		switch {
		case errors.Is(err, context.DeadlineExceeded), IsShortage(err):
			return nil
		case err != nil:
			return fmt.Errorf("it does not answer VERSION: %w", err)
		case !slices.Contains(versions, cniVersion):
			return fmt.Errorf("it does not support cniVersion %s, only %s", cniVersion, strings.Join(versions, ", "))
		}
		return nil
	}
}
