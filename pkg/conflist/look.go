// SPDX-License-Identifier: Apache-2.0

package conflist

import "fmt"

// ReadAs reads one loadable file of a folder as the runtime would. The error says
// why the runtime refuses it; what could be read stands beside it. A file that
// names no network has the one by which the runtime knows it.
func ReadAs(dir, name string, r Runtime) (List, error) {
	if r.Kind == 0 {
		return List{}, fmt.Errorf("look at %s: %w", path(dir, name), errNoRuntime)
	}
	return lookAs(dir, name, name, r)
}

// lookAs reads a file as if it had a certain name.
func lookAs(dir, file, name string, r Runtime) (List, error) {
	l, err := read(dir, file, name, rulesOf(r.Kind))
	if err == nil && r.Kind != Containerd && r.Kind != 0 {
		err = r.validate(l)
	}
	if r.Kind == CRIO && l.Name == "" && err == nil {
		l.Name = name // path.Base in loadNetworks
	}
	return l, err
}
