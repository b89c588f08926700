// SPDX-License-Identifier: Apache-2.0

package edit_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

// FuzzInsert holds that whatever is made is valid, that inserting again changes
// nothing, that Remove undoes it, and that all plain lists are taken.
func FuzzInsert(f *testing.F) {
	for _, doc := range corpus(f, "lists") {
		f.Add(doc)
	}
	f.Add([]byte(`{"name":"n","plugins":[{"type":"cni-guard"},{"type":"p"}, {"type":"cni-guard","x":1},{"type":"q"}]}`))
	f.Add([]byte(`{"name":"n","plug\u0069ns":[{"type":"p"}],"plugins":[{"type":"p"}]}`))
	f.Add([]byte(`{"name":"n","plugins":[{"type":"p","Type":"cni-guard"}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		list, err := libcni.NetworkConfFromBytes(doc)
		for _, at := range []edit.Placement{edit.Last, edit.FirstAndLast} {
			with, insertErr := edit.Insert(doc, []byte(entry), at)
			switch {
			case err != nil && insertErr == nil:
				t.Fatalf("libcni refuses it (%v), and it was made %s", err, with)
			case err != nil:
			case insertErr != nil && plain(doc, list):
				t.Fatalf("refused: %v", insertErr)
			case insertErr != nil:
			case guarded(list):
				idempotent(t, with, at)
			default:
				inverse(t, doc, at)
			}
		}
	})
}

// FuzzFromConf holds that the network stays the same, and that ToConf undoes it.
func FuzzFromConf(f *testing.F) {
	for _, doc := range corpus(f, "plugins") {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		list, err := edit.FromConf(doc)
		if err != nil {
			return
		}
		sameNetwork(t, doc, list)
		if back, err := edit.ToConf(list); err != nil || !bytes.Equal(back, doc) {
			t.Errorf("back: %v\n%q", err, back)
		}
	})
}

func guarded(list *libcni.NetworkConfigList) bool {
	return slices.ContainsFunc(list.Plugins, func(p *libcni.PluginConfig) bool { return p.Network.Type == conflist.GuardType })
}

// idempotent wants a list that had the guard to be right, and to stay.
func idempotent(t *testing.T, with []byte, at edit.Placement) {
	if got := types(t, with); got[len(got)-1] != conflist.GuardType {
		t.Errorf("the guard is not last: %q", got)
	}
	if again, err := edit.Insert(with, []byte(entry), at); err != nil || !bytes.Equal(again, with) {
		t.Errorf("inserted again: %v\n%s\nwant\n%s", err, again, with)
	}
}

// plain tells of a list that libcni takes that nothing in it is ambiguous: it has
// no escapes, no key twice, and the guard is not all of it.
func plain(doc []byte, list *libcni.NetworkConfigList) bool {
	if len(list.Plugins) == 0 || bytes.Contains(doc, []byte(conflist.GuardType)) || bytes.ContainsRune(doc, '\\') {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	seen := map[string]bool{}
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return true
		}
		switch v := token.(type) {
		case json.Delim:
			depth += map[json.Delim]int{'{': 1, '[': 1, '}': -1, ']': -1}[v]
		case string: // values as well; what looks the same is not plain
			if depth == 1 && seen[v] {
				return false
			}
			seen[v] = depth == 1
		}
	}
}
