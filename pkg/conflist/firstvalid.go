// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"errors"
	"fmt"
)

// judgeFirstValid is ocicni's loadNetworks and cri-dockerd's getDefaultCNINetwork:
// what is refused is skipped, and the first of the others is taken. CRI-O takes
// the one that has the name of cni_default_network where that is set.
func judgeFirstValid(dir string, found []candidate, r Runtime) error {
	chosen, err := choose(dir, found, r)
	taken := map[string]string{} // the file of each network that CRI-O knows
	for i := range found {
		c := &found[i]
		owner, again := taken[c.Network]
		if c.refused == nil && !again {
			taken[c.Network] = c.Name
		}
		switch {
		case errors.Is(c.refused, errPipe):
			c.refuse("; " + r.Kind.DisplayName() + " hangs on it when it next loads the folder")
		case c.refused != nil:
			c.refuse("; " + r.Kind.DisplayName() + " skips it")
		case i == chosen:
			c.asNetwork(Selected, "%s", r.why())
		case r.Kind == CRIO && again:
			c.judge(Shadowed, "is ignored: its network %q is that of %s already, which sorts before it", c.Network, owner)
		case chosen < 0:
			c.judge(Shadowed, "is not used: %s", r.whyNone(c, err))
		case r.named():
			c.judge(Shadowed, "is shadowed by %s, whose network %q is the cni_default_network; its own is %q", found[chosen].Name, r.DefaultNetwork, c.Network)
		default:
			c.judge(Shadowed, "is shadowed by %s, which sorts before it", found[chosen].Name)
		}
	}
	return err
}

// choose gives the place of the file that is taken, or -1 and why none is.
func choose(dir string, found []candidate, r Runtime) (int, error) {
	for i, c := range found {
		taken, err := r.takes(dir, c)
		if err != nil {
			return -1, err
		}
		if taken {
			return i, nil
		}
	}
	return -1, r.nothingValid(dir, len(found))
}

// takes tells whether a file is the one, if none before it was. The error says
// that the runtime gets no further.
func (r Runtime) takes(dir string, c candidate) (bool, error) {
	if errors.Is(c.refused, errPipe) {
		return false, fmt.Errorf("%w: %s hangs on %s: %w", ErrNoNetwork, r.Kind.DisplayName(), path(dir, c.Name), c.refused)
	}
	return c.refused == nil && (!r.named() || c.Network == r.DefaultNetwork), nil
}

func (r Runtime) named() bool { return r.Kind == CRIO && r.DefaultNetwork != "" }

// why completes the reason of the file that is taken.
func (r Runtime) why() string {
	if r.named() {
		return "is the network of every pod: it has the name of cni_default_network"
	}
	return "is the network of every pod: of those that are valid it sorts first"
}

// whyNone completes the reason of a valid file where none is taken.
func (r Runtime) whyNone(c *candidate, err error) string {
	if errors.Is(err, errPipe) {
		return r.Kind.DisplayName() + " hangs before it comes to it"
	}
	return fmt.Sprintf("cni_default_network is %q, and its network is %q", r.DefaultNetwork, c.Network)
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
	return fmt.Errorf("%w: %s refuses all files in %s", ErrNoNetwork, r.Kind.DisplayName(), dir)
}
