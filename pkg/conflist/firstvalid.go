// SPDX-License-Identifier: Apache-2.0

package conflist

import "fmt"

// judgeFirstValid is ocicni's loadNetworks and cri-dockerd's getDefaultCNINetwork:
// what is refused is skipped, and the first of the others is taken. CRI-O takes
// the one that has the name of cni_default_network where that is set.
func judgeFirstValid(dir string, found []candidate, r Runtime) error {
	chosen := choose(found, r)
	taken := map[string]string{} // the file of each network that CRI-O knows
	for i := range found {
		c := &found[i]
		owner, again := taken[c.Network]
		if c.refused == nil && !again {
			taken[c.Network] = c.Name
		}
		switch {
		case c.refused != nil:
			c.refuse("; " + r.Kind.title() + " skips it")
		case i == chosen:
			c.judge(Selected, "%s", r.why())
		case r.Kind == CRIO && again:
			c.judge(Shadowed, "is ignored: its network %q is that of %s already, which sorts before it", c.Network, owner)
		default:
			judgeOther(c, found, chosen, r)
		}
	}
	if chosen < 0 {
		return r.nothingValid(dir, len(found))
	}
	return nil
}

func judgeOther(c *candidate, found []candidate, chosen int, r Runtime) {
	switch {
	case chosen < 0:
		c.judge(Shadowed, "is not used: cni_default_network is %q, and its network is %q", r.DefaultNetwork, c.Network)
	case r.named():
		c.judge(Shadowed, "is shadowed by %s, whose network %q is the cni_default_network; its own is %q", found[chosen].Name, r.DefaultNetwork, c.Network)
	default:
		c.judge(Shadowed, "is shadowed by %s, which sorts before it", found[chosen].Name)
	}
}

// choose gives the place of the file that is taken, -1 if none.
func choose(found []candidate, r Runtime) int {
	for i, c := range found {
		if r.takes(c) {
			return i
		}
	}
	return -1
}

// takes tells whether a file is the one, if none before it was.
func (r Runtime) takes(c candidate) bool {
	return c.refused == nil && (!r.named() || c.Network == r.DefaultNetwork)
}

func (r Runtime) named() bool { return r.Kind == CRIO && r.DefaultNetwork != "" }

// why completes the reason of the file that is taken.
func (r Runtime) why() string {
	if r.named() {
		return "is the network of every pod: it has the name of cni_default_network"
	}
	return "is the network of every pod: of those that are valid it sorts first"
}

// nothingValid says why none of n files is taken.
func (r Runtime) nothingValid(dir string, n int) error {
	switch {
	case n == 0:
		return nothingIn(dir, r)
	case r.named():
		return fmt.Errorf("%w: cni_default_network is %q, and no valid file in %s has that network; CRI-O takes no other", ErrNoNetwork, r.DefaultNetwork, dir)
	case r.Kind == CRIDockerd:
		return fmt.Errorf("%w: cri-dockerd refuses all files in %s; it keeps the network that it has until it is restarted", ErrNoNetwork, dir)
	}
	return fmt.Errorf("%w: %s refuses all files in %s", ErrNoNetwork, r.Kind.title(), dir)
}

func effectiveFirstValid(dir string, names []string, r Runtime) (File, error) {
	for _, name := range names {
		if c := look(dir, name, r); r.takes(c) {
			c.judge(Selected, "%s", r.why())
			return c.File, nil
		}
	}
	return File{}, r.nothingValid(dir, len(names))
}
