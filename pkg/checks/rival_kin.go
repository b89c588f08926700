// SPDX-License-Identifier: Apache-2.0

package checks

import "slices"

// loopbackOnly tells a file whose network is lo.
func (l looked) loopbackOnly() bool { return l.refused == nil && l.OnlyLoopback() }

// isCopyOf tells whether a file is the list of another without the guard: that is
// how the primary plugin's file looks where guardctl install put a file of our own
// before it (placement own).
func (l looked) isCopyOf(own looked) bool { return l.refused == nil && l.CopyOf(own.List) }

// handsOnTo tells a file of Multus that hands pods on to the network of another.
func (l looked) handsOnTo(name string, other looked) bool {
	return l.refused == nil && l.HandsOnTo(name, other.Name)
}

// isDelegate tells a file whose network the guard's own file, one of Multus, hands
// pods on to: they belong together.
func (f *folder) isDelegate(r rival) bool {
	return r.read && r.refused == nil && !r.Multus() && f.mine.handsOnTo(r.name, r.looked)
}

// isCertain tells a file that CRI-O or cri-dockerd takes without fail. They ask
// each plugin for the versions that it knows, and skip a file of another; a plugin
// does not ask others, but those of the guard's own list have just answered.
func (f *folder) isCertain(r rival) bool {
	if f.runtime.Supports != nil {
		return true // they were asked
	}
	own := f.mine.Types()
	return r.CNIVersion == f.mine.CNIVersion && !slices.ContainsFunc(r.Types(), func(t string) bool { return !slices.Contains(own, t) })
}
