// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Leases returns the addresses that host-local holds for the pod in its directory.
// It keeps a file for each, with the container ID in the first line.
func Leases(dir string, p Pod) ([]string, error) {
	network := filepath.Join(dir, Name)
	entries, err := os.ReadDir(network)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	var held []string
	for _, e := range entries {
		if _, err := netip.ParseAddr(e.Name()); err != nil {
			continue // its lock, and its note of the last address
		}
		owner, err := os.ReadFile(filepath.Join(network, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // given back meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read lease: %w", err)
		}
		if strings.HasPrefix(string(owner), p.ID+"\r\n") || string(owner) == p.ID {
			held = append(held, e.Name())
		}
	}
	return held, nil
}
