// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"slices"
)

// A Role says what a file is to the node. The zero Role belongs to files that no
// runtime loads.
type Role uint8

// The roles.
const (
	Keep    Role = iota + 1 // pods need it: it is the intended file, or belongs to it
	Rogue                   // it takes the place of the intended file, or could
	Benign                  // it may lie where it is
	Unknown                 // the evidence does not decide
)

// roleNames are in the order of the constants.
func roleNames() []string { return []string{"", "keep", "rogue", "benign", "unknown"} }

// String returns "keep", "rogue", "benign" or "unknown"; "" for the zero Role.
func (r Role) String() string {
	if names := roleNames(); int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// MarshalText returns what String returns.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what String returns.
func (r *Role) UnmarshalText(text []byte) error {
	i := slices.Index(roleNames(), string(text))
	if i < 0 {
		return fmt.Errorf("read role: %q is none of keep, rogue, benign, unknown", text)
	}
	*r = Role(i)
	return nil
}
