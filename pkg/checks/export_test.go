// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Search gives the conf dir among several.
func (t *Target) Search(dirs []string, r conflist.Runtime) (string, error) {
	f, err := t.search(dirs, r)
	if err != nil {
		return "", err
	}
	return f.Dir, nil
}

// Judge judges a folder that had files of some names when it was listed.
func (t *Target) Judge(dir string, names []string, r conflist.Runtime) ([]guard.Finding, error) {
	return t.findings(assess.Assess(t.open(dir, names, r).Selection, t.intent()))
}

// PodRanges gives the ranges of a file with one plugin of a type, as text.
func PodRanges(plugin string, raw []byte) (string, error) {
	f := &folder{own: "10-a.conflist"}
	f.mine.Plugins = []conflist.Plugin{{Type: plugin, Raw: raw}}
	ranges, err := f.podRanges("")
	return ranges.String(), err
}
