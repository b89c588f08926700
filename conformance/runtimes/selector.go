// SPDX-License-Identifier: Apache-2.0

package runtimes

import "context"

// A Selector is a Runtime that takes its network from the first file of a directory,
// and looks again when something happens there.
type Selector interface {
	// Directory is the conf dir.
	Folder() string
	// Own is the name of the file that Configure writes.
	Own() string
	// Product is what the option --runtime of guardctl calls it.
	Product() string
	// Selected returns the networks that new pods get: those that are loaded, not what
	// lies in the directory. None where nothing could be loaded.
	Selected(context.Context) ([]Network, error)
}

// A Network is one that a runtime has loaded.
type Network struct {
	Name   string
	Source string // the text that the runtime read
}
