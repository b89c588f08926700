// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Search gives the conf dir among several.
func (t *Target) Search(dirs []string, r conflist.Runtime) (string, error) {
	f, err := t.search(dirs, r)
	if err != nil {
		return "", err
	}
	return f.dir, nil
}

// Judge judges a folder that had files of some names when it was listed.
func (t *Target) Judge(dir string, names []string, r conflist.Runtime) []guard.Finding {
	return t.open(dir, names, r).judge(t)
}

// Author tells who probably wrote a file of one plugin.
func Author(name, network, plugin string) string {
	return author(name, looked{List: conflist.List{Name: network, Plugins: []conflist.Plugin{{Type: plugin}}}})
}

// PodRanges gives the ranges of a file with one plugin of a type, as text.
func PodRanges(plugin string, raw []byte) (string, error) {
	f := &folder{names: []string{"10-a.conflist"}}
	f.mine.Plugins = []conflist.Plugin{{Type: plugin, Raw: raw}}
	ranges, err := f.podRanges()
	return ranges.String(), err
}
