// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// Intent returns what the record says of the intended file of a conf dir; nil where
// it is the record of another folder, or of no file.
func (r *Record) Intent(confDir string) *assess.Record {
	if r == nil || r.Edit.Path == "" || r.Site.ConfDir != confDir && resolved(r.Site.ConfDir) != resolved(confDir) {
		return nil
	}
	in := &assess.Record{File: filepath.Base(r.Edit.Path), Placement: r.Placement.String(), NamedByOperator: r.Named}
	if r.Edit.From != "" {
		in.Source = filepath.Base(r.Edit.From)
	}
	if l, err := conflist.Parse(in.File, r.Edit.Original); err == nil {
		in.Network = l.Name
	} else if l, err := conflist.Parse(in.Source, r.Edit.Original); err == nil {
		in.Network = l.Name
	}
	for _, path := range filesOf(confDir) {
		name := filepath.Base(path)
		if content, err := os.ReadFile(path); err == nil && name != in.File && conflist.Loadable(name) && hash(content) == r.Edit.After {
			in.SameContent = append(in.SameContent, name)
		}
	}
	return in
}
