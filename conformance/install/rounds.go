// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Round is what operators do to a node while pods come and go: install, upgrade
// to another version and back, uninstall, and at last remove the programs.
type Round struct {
	Node  *Node
	Other string // the directory of another version
	// Install are flags for install.
	Install []string
	// Grace is what uninstall is given at the end, such as "2s"; the programs are
	// removed when the last call is so long ago. "": they stay.
	Grace string
}

// Run does one round.
func (r Round) Run() error {
	other := *r.Node
	other.From = r.Other
	return errors.Join(
		r.Node.Run("install", r.Install...),
		other.Run("upgrade"),
		r.Node.Run("upgrade"),
		r.Node.Run("uninstall"),
		r.Node.Run("install", r.Install...),
		r.Node.Run("uninstall"),
		r.remove(),
	)
}

// remove repeats uninstall until the plugin is gone.
func (r Round) remove() error {
	plugin := filepath.Join(r.Node.Bin(), "cni-guard")
	for range 1000 {
		if r.Grace == "" {
			return nil
		}
		if err := r.Node.Run("uninstall", "--grace", r.Grace); err != nil {
			return err
		}
		if _, err := os.Stat(plugin); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return fmt.Errorf("remove %s: it is still there after a thousand attempts", plugin)
}
