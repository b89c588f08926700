// SPDX-License-Identifier: Apache-2.0

package conflist

import "slices"

// Types gives the types of the plugins, in the order of ADD.
func (l List) Types() []string {
	types := make([]string, len(l.Plugins))
	for i, p := range l.Plugins {
		types[i] = p.Type
	}
	return types
}

// OnlyLoopback tells a file whose network is lo; see [File.OnlyLoopback].
func (l List) OnlyLoopback() bool { return onlyLoopback(l.Types()) }

// OnlyLoopback tells a file whose network is lo, which is right wherever it does
// not win: runtimes make lo by a plugin that they are not told of.
func (f File) OnlyLoopback() bool { return onlyLoopback(f.Plugins) }

func onlyLoopback(types []string) bool {
	return len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return t != "loopback" })
}
