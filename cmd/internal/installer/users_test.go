// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

func TestNamesGuard(t *testing.T) {
	for doc, want := range map[string]bool{
		`{"name":"x","plugins":[{"type":"bridge"},{"type":"cni-guard"}]}`:              true,
		`{"name":"x","plugins":[{"Type":"cni\u002dguard"}]}`:                           true,
		`{"name":"x","plugins":[{"type":"cni-guard","type":null}]}`:                    true,
		`{"delegates":[{"plugins":[{"type":"cni-guard"}]}]}`:                           true,
		`{"name":"cni-guard","plugins":[{"type":"bridge","comment":"\"cni-guard\""}]}`: false,
		`{"type":["cni-guard"]}`:          false,
		`{"plugins":[{"type":"cni-guard"`: true,
		``:                                false,
	} {
		if got := namesGuard([]byte(doc)); got != want {
			t.Errorf("%s: %t", doc, got)
		}
	}
}

// FuzzNamesGuard holds that whatever a runtime reads as the guard is found.
func FuzzNamesGuard(f *testing.F) {
	f.Add([]byte(`{"name":"x","plugins":[{"type":"bridge"},{"TYPE":"cni\u002dguard","type":null}]}`))
	f.Add([]byte("{\"name\":\"x\",\"plugins\":[{\"type\":\"cni-guard\"}],\"x\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		l, err := conflist.Parse("x.conflist", doc)
		if err == nil && l.Guarded() && !namesGuard(doc) {
			t.Errorf("not found in %q", doc)
		}
	})
}
