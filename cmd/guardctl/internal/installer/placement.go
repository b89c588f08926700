// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"slices"
	"strings"
)

// A Placement says where the guard's entry goes.
type Placement string

// The placements.
const (
	Inline  Placement = "inline"  // last in the effective file
	Own     Placement = "own"     // last in a file of our own, a copy of the effective one that sorts before it
	Bookend Placement = "bookend" // first and last in the effective file
)

// Placements are all there are; the first is the default.
func Placements() []string { return []string{string(Inline), string(Own), string(Bookend)} }

// Set reads one of the words above: it makes a flag of a Placement.
func (p *Placement) Set(word string) error {
	if !slices.Contains(Placements(), word) {
		return fmt.Errorf("%q is none of %s", word, strings.Join(Placements(), ", "))
	}
	*p = Placement(word)
	return nil
}

// String gives the word.
func (p *Placement) String() string { return string(*p) }

// Type is the word for the value in the help.
func (p *Placement) Type() string { return "placement" }
