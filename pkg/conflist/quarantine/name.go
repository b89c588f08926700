// SPDX-License-Identifier: Apache-2.0

package quarantine

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// Suffix is what a file in quarantine has behind its name; the second of the
	// same name has a number behind that: "10-b.conflist.cni-guard-quarantined-2".
	Suffix = ".cni-guard-quarantined"

	recordSuffix = ".record" // behind the name in quarantine
	newSuffix    = ".new"    // behind that of a record that is being written
)

// nameIn gives the name in quarantine of the n-th file of a name, from 1.
func nameIn(name string, n int) string {
	if n == 1 {
		return name + Suffix
	}
	return fmt.Sprintf("%s%s-%d", name, Suffix, n)
}

// original gives the name that a file in quarantine had; false if this is no such
// file, but a record for example.
func original(quarantined string) (name string, ok bool) {
	i := strings.LastIndex(quarantined, Suffix)
	if i <= 0 {
		return "", false
	}
	if number := quarantined[i+len(Suffix):]; number != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(number, "-"))
		if err != nil || n < 2 || nameIn(quarantined[:i], n) != quarantined {
			return "", false
		}
	}
	return quarantined[:i], true
}
