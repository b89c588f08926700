// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// WriteFile returns the command that writes lines into a file.
func WriteFile(file string, lines ...string) string { return writeFile(file, lines...) }

// Search returns the conf dir among several.
func (t *Target) Search(dirs []string, r conflist.Runtime) (string, error) {
	f, err := t.searchConfDirs(dirs, r)
	if err != nil {
		return "", err
	}
	return f.Dir, nil
}

// Judge judges a conf dir that had files of some names when it was listed.
func (t *Target) Judge(dir string, names []string, r conflist.Runtime) ([]guard.Finding, error) {
	return conflistFindings(assess.Assess(t.openConfDir(dir, names, r).Selection, t.intent()))
}

// PodRanges returns the ranges of a file with one plugin of a type, as text.
func PodRanges(plugin string, raw []byte) (string, error) {
	d := &confDir{ownFile: "10-a.conflist"}
	d.ownList.Plugins = []conflist.Plugin{{Type: plugin, Raw: raw}}
	ranges, err := d.podRanges(hostconf.Root{})
	return ranges.String(), err
}

// LocalDrop returns the rule of the node that drops a ping through a tunnel, or its outer
// packets, and what these are; "" if none surely does.
func (t *Target) LocalDrop(p tunnel.Peer) (string, error) {
	l, err := readLocalRules(t)
	if err != nil {
		return "", err
	}
	what, rule, _ := l.dropsProbe(p)
	if rule == nil {
		return "", nil
	}
	return what + ": " + rule.String(), nil
}
