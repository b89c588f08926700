// SPDX-License-Identifier: Apache-2.0

package checks

import "strings"

// An Area is a part of the node that checks belong to: the first digit of their IDs.
type Area struct {
	Digit byte   // of the ID: '1' for CG101
	Name  string // for programs: "conf-dir"
	Title string // for people: "Conf dir and runtime"
}

// Areas returns all areas in the order of their digits, which is the order of reports.
func Areas() []Area {
	return []Area{
		{'1', "sandbox", "Sandboxes"},
		{'2', "conf-dir", "Conf dir and runtime"},
		{'3', "node", "Node"},
		{'4', "tunnels", "Tunnels"},
		{'5', "firewall", "Firewall"},
		{'6', "cloud", "Cloud"},
	}
}

// AreaOf returns the area of the check with this ID. The area of an ID that has none of
// the digits, such as that of a check of a test, is called "other".
func AreaOf(id string) Area {
	if number, ok := strings.CutPrefix(id, "CG"); ok && number != "" {
		for _, a := range Areas() {
			if a.Digit == number[0] {
				return a
			}
		}
	}
	return Area{Name: "other", Title: "Other"}
}
