// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/cni-guard/cni-guard/pkg/conflist"

// handsOn tells the files that belong together: Multus's that the runtime takes,
// and the one that it hands pods on to. Multus writes its own file again as it
// likes, so that it may be there a second time, with the guard.
func handsOn(s conflist.Selection, f, keep *conflist.File) bool {
	multus := s.Effective()
	if multus == nil || !multus.Multus() {
		return false
	}
	l, err := conflist.Read(s.Dir, multus.Name)
	if err != nil || keep != multus && !keep.Multus() && !l.HandsOnTo(keep.Name, keep.Network) {
		return false
	}
	if f == multus {
		return true
	}
	name, _, err := conflist.Delegate(s.Dir, l, s.Runtime)
	return err == nil && f.Name == name && isValid(f)
}
