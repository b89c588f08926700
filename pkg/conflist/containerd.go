// SPDX-License-Identifier: Apache-2.0

package conflist

import "fmt"

// limit is how many of n files containerd loads.
func limit(maxConfNum, n int) int {
	if maxConfNum <= 0 {
		return n
	}
	return min(maxConfNum, n)
}

// judgeContainerd is go-cni's loadFromConfDir: the first files, up to the limit;
// one that is refused among them and nothing is loaded at all.
func judgeContainerd(dir string, found []candidate, maxConfNum int) error {
	if len(found) == 0 {
		return nothingIn(dir, Runtime{Kind: Containerd})
	}
	n := limit(maxConfNum, len(found))
	for i := range found[:n] {
		if found[i].refused != nil {
			judgeDisabled(found, i, n)
			return disabled(dir, found[i])
		}
	}
	first := found[0].Name
	for i := range found {
		switch c := &found[i]; {
		case i == 0:
			c.asNetwork(Selected, "is the network of every pod: it sorts first")
		case i < n:
			c.asNetwork(Attached, "is loaded beside %s: max_conf_num is %d, so that every pod gets both", first, maxConfNum)
		case c.refused != nil:
			c.refuse(fmt.Sprintf("; containerd does not come to it while %s sorts before it, and loads nothing once it does", first))
		default:
			c.judge(Shadowed, "is shadowed by %s, which sorts before it", found[n-1].Name)
		}
	}
	return nil
}

// judgeDisabled gives the verdicts where the file at bad stops the load.
func judgeDisabled(found []candidate, bad, n int) {
	for i := range found {
		switch c := &found[i]; {
		case i == bad:
			c.refuse("; containerd loads nothing at all because of it")
		case c.refused != nil:
			c.refuse("")
		case i < n:
			c.judge(Shadowed, "is not used: %s stops containerd from loading anything", found[bad].Name)
		default:
			c.judge(Shadowed, "is shadowed by %s, which sorts before it and stops containerd from loading anything", found[bad].Name)
		}
	}
}

// disabled is what a file does to the whole node.
func disabled(dir string, bad candidate) error {
	return fmt.Errorf("%w: %s disables the node: %w; containerd loads nothing until it is corrected or renamed", ErrNoNetwork, path(dir, bad.Name), bad.refused)
}
