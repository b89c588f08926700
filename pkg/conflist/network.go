// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"fmt"
	"strings"
)

// asNetwork completes the reason of a file that is loaded. Libcni loads lists with
// any name, but refuses ADD where it would be no part of a path
// (utils.ValidateNetworkName).
func (c *candidate) asNetwork(v Verdict, reason string, args ...any) {
	c.judge(v, reason, args...)
	switch {
	case c.Network == "":
		c.Reason += "; but its network has no name, so that no pod can start"
	case !ValidName(c.Network):
		c.Reason += fmt.Sprintf("; but no pod can start, for the name of its network may have letters, digits and _.- only, and is %q", c.Network)
	}
}

// ValidName reports whether a name is one that the spec allows to networks and
// containers: [a-zA-Z0-9][a-zA-Z0-9_.-]*, as utils.ValidateNetworkName of the CNI
// library has it, without its regular expression.
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && strings.IndexByte("_.-", c) >= 0:
		default:
			return false
		}
	}
	return name != ""
}
