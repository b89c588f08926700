// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cni-guard/cni-guard/conformance/chain"
)

// A Selector is a Runtime that takes its network from the first file of a directory,
// and looks again when something happens there.
type Selector interface {
	// ConfDir is the directory of the network configurations.
	ConfDir() string
	// Own is the name of the file that Configure writes.
	Own() string
	// Product is what the option --runtime of guardctl calls it.
	Product() string
	// Selected returns the networks that new pods get: those that are loaded, not those
	// in the directory. It returns none if nothing could be loaded.
	Selected(context.Context) ([]Network, error)
}

// A Network is one that a runtime has loaded.
type Network struct {
	Name   string
	Source string // the text that the runtime read
}

// OwnFile is the name of the file with the pods' network, as in incident 004.
const OwnFile = "10-a.conflist"

// WriteNetwork writes OwnFile to the conf dir, and renames it into place as the README
// tells operators to do. It returns the text.
func WriteNetwork(confDir, version string, plugins []chain.Plugin) (string, error) {
	text, err := json.Marshal(map[string]any{"cniVersion": version, "name": chain.Name, "plugins": plugins})
	if err != nil {
		return "", fmt.Errorf("write network: %w", err)
	}
	if err := os.MkdirAll(confDir, 0o755); err != nil {
		return "", fmt.Errorf("write network: %w", err)
	}
	file := filepath.Join(confDir, OwnFile)
	if err := os.WriteFile(file+".new", text, 0o644); err != nil {
		return "", fmt.Errorf("write network: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return "", fmt.Errorf("write network: %w", err)
	}
	return string(text), nil
}

// AwaitNetwork waits until the runtime has loaded a network with the text.
func AwaitNetwork(ctx context.Context, s Selector, text string) error {
	return Await(ctx, s.Product()+" to load its network", func(ctx context.Context) (bool, error) {
		selected, err := s.Selected(ctx)
		return slices.ContainsFunc(selected, func(n Network) bool { return n.Source == text }), err
	})
}
