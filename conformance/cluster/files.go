// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"maps"
	"slices"
	"strings"
)

// kept are the directories in which an installation leaves something.
var kept = [...]string{"/etc/cni", "/opt/cni", "/var/lib/cni-guard", "/etc/containerd", "/etc/crio", "/etc/containers"}

// Files returns what is in those directories of the node: kind, mode, owner, target of the
// link and content of each file, by its path.
func (n *Node) Files() map[string]string {
	n.t.Helper()
	files := map[string]string{}
	inKept := func(script string) string { return n.In(append([]string{"sh", "-euc", script, "sh"}, kept[:]...)...) }
	list := inKept(`for dir; do [ ! -e "$dir" ] || find "$dir" -printf '%p\t%y %m %U:%G %l\n'; done`)
	for line := range strings.Lines(list) {
		path, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = rest
	}
	sums := inKept(`for dir; do [ ! -e "$dir" ] || find "$dir" -type f -exec sha256sum {} +; done`)
	for line := range strings.Lines(sums) {
		sum, path, _ := strings.Cut(strings.TrimSpace(line), "  ")
		files[path] += " " + sum
	}
	return files
}

// Compare returns the differences between two results of Files, a line each.
func Compare(before, after map[string]string) []string {
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(before)) {
		switch now, ok := after[path]; {
		case !ok:
			lines = append(lines, path+" is gone")
		case now != before[path]:
			lines = append(lines, path+" was "+before[path]+" and is "+now)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[path]; !ok {
			lines = append(lines, path+" is new: "+after[path])
		}
	}
	return lines
}
