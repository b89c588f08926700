// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"errors"
	"fmt"
	"path/filepath"
)

// A candidate is a loadable file, and why the runtime refuses it; nil if it does not.
type candidate struct {
	*File
	refused error
}

func (c candidate) set(v Verdict, reason string) { c.Verdict, c.Reason = v, reason }

// refuse sets the verdict of a file that cannot be loaded, and appends the consequence.
func (c candidate) refuse(consequence string) {
	c.set(Invalid, fmt.Sprintf("is refused: %v%s", c.refused, consequence))
}

// load sets the verdict of a file that is loaded. libcni loads a list with any network
// name, but refuses ADD for one that may not be a part of a path
// (utils.ValidateNetworkName).
func (c candidate) load(v Verdict, reason string) {
	switch {
	case c.Network == "":
		reason += "; but its network has no name, so that no pod can start"
	case !ValidName(c.Network):
		reason += fmt.Sprintf("; but no pod can start, because the name of its network, %q, has characters other than letters, digits and _.-", c.Network)
	}
	c.set(v, reason)
}

// limit returns how many of n files containerd loads.
func limit(maxConfNum, n int) int {
	if maxConfNum <= 0 {
		return n
	}
	return min(maxConfNum, n)
}

// setContainerdVerdicts is go-cni's loadFromConfDir: it loads the first files up to the
// limit. If it refuses one of them it loads nothing at all.
func setContainerdVerdicts(dir string, found []candidate, maxConfNum int) error {
	if len(found) == 0 {
		return errNothingIn(dir, Runtime{Kind: Containerd})
	}
	n := limit(maxConfNum, len(found))
	for i := range found[:n] {
		if found[i].refused != nil {
			return setBlockedVerdicts(dir, found, i, n)
		}
	}
	first, shadowed := found[0].Name, shadowedBy(found[n-1])
	for i, c := range found {
		switch {
		case i == 0:
			c.load(Selected, "is the network of every pod: it sorts first")
		case i < n:
			c.load(Attached, fmt.Sprintf("is loaded beside %s: max_conf_num is %d, so that every pod gets both", first, maxConfNum))
		case c.refused != nil:
			c.refuse(fmt.Sprintf("; containerd does not come to it while %s sorts before it, and loads nothing once it does", first))
		default:
			c.set(Shadowed, shadowed)
		}
	}
	return nil
}

// setBlockedVerdicts sets the verdicts where the file at bad, one of the first n, keeps
// containerd from loading anything.
func setBlockedVerdicts(dir string, found []candidate, bad, n int) error {
	name := found[bad].Name
	for i, c := range found {
		switch {
		case i == bad:
			c.refuse("; containerd loads nothing at all because of it")
		case c.refused != nil:
			c.refuse("")
		case i < n:
			c.set(Shadowed, "is not used: "+name+" stops containerd from loading anything")
		default:
			c.set(Shadowed, shadowedBy(found[bad])+" and stops containerd from loading anything")
		}
	}
	return fmt.Errorf("%w: %s disables the node: %w; containerd loads nothing until it is corrected or renamed", ErrNoNetwork, filepath.Join(dir, name), found[bad].refused)
}

func shadowedBy(c candidate) string { return "is shadowed by " + c.Name + ", which sorts before it" }

// setFirstValidVerdicts is ocicni's loadNetworks and cri-dockerd's
// getDefaultCNINetwork: they skip what they refuse, and select the first of the others.
// If cni_default_network is set, CRI-O selects the file with that network.
func setFirstValidVerdicts(dir string, found []candidate, r Runtime) error {
	chosen, err := r.choose(dir, found)
	fileOf := map[string]string{} // by the network; CRI-O uses the first file of each
	for i, c := range found {
		first, duplicate := fileOf[c.Network]
		if c.refused == nil && !duplicate && !c.Unread {
			fileOf[c.Network] = c.Name
		}
		switch {
		case errors.Is(c.refused, errPipe):
			c.refuse("; " + r.Kind.DisplayName() + " hangs on it when it next loads the directory")
		case c.refused != nil:
			c.refuse("; " + r.Kind.DisplayName() + " skips it")
		case i == chosen && r.HasDefaultNetwork():
			c.load(Selected, "is the network of every pod: it has the name of cni_default_network")
		case i == chosen:
			c.load(Selected, "is the network of every pod: of the valid files it sorts first")
		case r.Kind == CRIO && duplicate:
			c.set(Shadowed, fmt.Sprintf("is ignored: %s, which sorts before it, already has its network %q", first, c.Network))
		case errors.Is(err, errPipe):
			c.set(Shadowed, "is not used: "+r.Kind.DisplayName()+" hangs before it comes to it")
		case chosen < 0:
			c.set(Shadowed, fmt.Sprintf("is not used: cni_default_network is %q, and its network is %q", r.DefaultNetwork, c.Network))
		case r.HasDefaultNetwork():
			c.set(Shadowed, fmt.Sprintf("is shadowed by %s, whose network %q is the cni_default_network; its own is %q", found[chosen].Name, r.DefaultNetwork, c.Network))
		default:
			c.set(Shadowed, shadowedBy(found[chosen]))
		}
	}
	return err
}

// choose returns the index of the selected file, or -1 and why there is none.
func (r Runtime) choose(dir string, found []candidate) (int, error) {
	for i, c := range found {
		selected, err := r.selects(dir, c)
		if err != nil {
			return -1, err
		}
		if selected {
			return i, nil
		}
	}
	return -1, r.errNoneValid(dir, len(found))
}

// selects reports whether CRI-O or cri-dockerd select a file if they have selected none
// before it. The error says that the runtime hangs on it.
func (r Runtime) selects(dir string, c candidate) (bool, error) {
	if errors.Is(c.refused, errPipe) {
		return false, fmt.Errorf("%w: %s hangs on %s: %w", ErrNoNetwork, r.Kind.DisplayName(), filepath.Join(dir, c.Name), c.refused)
	}
	return c.refused == nil && (!r.HasDefaultNetwork() || c.Network == r.DefaultNetwork), nil
}

// HasDefaultNetwork reports whether the runtime is CRI-O with a cni_default_network.
func (r Runtime) HasDefaultNetwork() bool { return r.Kind == CRIO && r.DefaultNetwork != "" }

// errNoneValid returns why none of n files is selected.
func (r Runtime) errNoneValid(dir string, n int) error {
	switch {
	case n == 0:
		return errNothingIn(dir, r)
	case r.HasDefaultNetwork():
		return fmt.Errorf("%w: cni_default_network is %q, and no valid file in %s has that network; CRI-O selects no other", ErrNoNetwork, r.DefaultNetwork, dir)
	case r.Kind == CRIDockerd:
		return fmt.Errorf("%w: cri-dockerd refuses all files in %s, and keeps its present network until it is restarted", ErrNoNetwork, dir)
	}
	return fmt.Errorf("%w: %s refuses all files in %s", ErrNoNetwork, r.Kind.DisplayName(), dir)
}
