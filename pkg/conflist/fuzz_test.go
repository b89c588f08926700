// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"fmt"
	"testing"
)

// FuzzParse holds the parser against libcni's.
func FuzzParse(f *testing.F) {
	for _, d := range lists() {
		f.Add([]byte(d.doc), true)
	}
	for _, d := range singles() {
		f.Add([]byte(d.doc), false)
	}
	f.Fuzz(func(t *testing.T, doc []byte, list bool) {
		l, err := rules{}.parse(doc, list)
		agree(t, doc, list, l, err)
		if old, err := (rules{old: true}).parse(doc, list); err == nil && len(old.Plugins) == 0 {
			t.Error("libcni v1.1.2 takes no file without plugins")
		}
	})
}

// FuzzEntry wants the short way through an entry to lead where libcni's does.
func FuzzEntry(f *testing.F) {
	for _, d := range singles() {
		f.Add([]byte(d.doc))
	}
	f.Add([]byte(`{"type":"p","dns":{"nameservers":[],"Nameservers":7}}`))
	f.Add([]byte(`{"type":"p","capabilities":{"\u0061":7,"a":true}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if !json.Valid(doc) || numbersFit(doc) != nil || !distinctKeys(doc) {
			return
		}
		short, shortErr := rules{}.parsePlugin(doc)
		long, longErr := rules{}.parseRewritten(doc)
		if (shortErr != nil) != (longErr != nil) || shortErr == nil && fmt.Sprint(short) != fmt.Sprint(long) {
			t.Errorf("as it stands: %+v, %v; rewritten: %+v, %v", short, shortErr, long, longErr)
		}
	})
}
