// SPDX-License-Identifier: Apache-2.0

package edit_test

import (
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

// What is wrong or could be read in two ways is refused, with what it is.
func TestRefused(t *testing.T) {
	const plugins = `"plugins":[{"type":"p"}]`
	for _, c := range []struct{ name, doc, want string }{
		{"plugins twice", `{"name":"n",` + plugins + `,` + plugins + `}`, `the key "plugins" twice`},
		{"plugins twice, once in disguise", `{"name":"n",` + plugins + `,"plug\u0069ns":[{"type":"p"}]}`, `the key "plugins" twice`},
		{"plugins in disguise", `{"name":"n","plug\u0069ns":[{"type":"p"}]}`, `as "plug\u0069ns": write it plainly`},
		{"name twice", `{"name":"n","name":"n",` + plugins + `}`, `the key "name" twice`},
		{"the guard by two types", `{"name":"n","plugins":[{"type":"p","TYPE":"cni-guard"}]}`, `plugin 1 of the list: it has the key "type" 2 times`},
		{"a byte order mark", "\xef\xbb\xbf{\"name\":\"n\"," + plugins + `}`, "byte order mark (BOM): save it as UTF-8 without one"},
		{"a comment", "{\"name\":\"n\",\n// the network\n" + plugins + `}`, "line 2 has a comment, which JSON does not allow"},
		{"no plugins", `{"name":"n"}`, `no "plugins" of its own, only drop-ins`},
		{"null for plugins", `{"name":"n","plugins":null}`, "plugins is null, not a list"},
		{"an empty list", `{"name":"n","plugins":[]}`, "its list of plugins is empty"},
		{"no name", `{` + plugins + `}`, "it has no name"},
		{"nothing", "", "it is empty"},
		{"half", `{"name":"n","plugins":[{"type":"p"}`, "unexpected end"},
		{"a single plugin", `{"name":"n","type":"p","loadOnlyInlinedPlugins":true}`, "it has no plugins"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := edit.Insert([]byte(c.doc), []byte(entry), edit.Last)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "insert cni-guard: ") {
				t.Errorf("Insert says %v, want %q", err, c.want)
			}
			if _, err := edit.Remove([]byte(c.doc)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Remove says %v, want %q", err, c.want)
			}
		})
	}
}

func TestRefusedEntry(t *testing.T) {
	const doc = `{"name":"n","plugins":[{"type":"p"}]}`
	for _, e := range []string{``, `[]`, `{"type":"x"}`, `{"type":"cni-guard"`, `{"type":"cni-guard","type":"x"}`, `{"type":"cni-guard","ipam":7}`} {
		if got, err := edit.Insert([]byte(doc), []byte(e), edit.Last); err == nil {
			t.Errorf("%s was inserted: %s", e, got)
		}
	}
}

func TestRefusedConf(t *testing.T) {
	for doc, want := range map[string]string{
		`{"type":"p"}`:                          "names no network",
		`{"name":"n"}`:                          "has no type",
		"// x\n{}":                              "has a comment",
		`{"name":"n","plugins":[{"type":"p"}]}`: "must end in .conflist",
	} {
		if _, err := edit.FromConf([]byte(doc)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
	if _, err := edit.ToConf([]byte(`{"name":"n","plugins":[{"type":"p"}]}`)); err == nil {
		t.Error("a list that was always one became a plugin")
	}
}
