// SPDX-License-Identifier: Apache-2.0

package edit_test

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

// The entry is written as its neighbours are.
func TestNative(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"one line", `{"name":"n","plugins":[{"type":"p"}]}`, `{"name":"n","plugins":[{"type":"p"},{"type":"cni-guard","mode":"audit"}]}`},
		{"one line with blanks", `{"name": "n", "plugins": [{"type": "p"}]}`, `{"name": "n", "plugins": [{"type": "p"}, {"type": "cni-guard", "mode": "audit"}]}`},
		{"a line each", "{\n\t\"name\": \"n\",\n\t\"plugins\": [\n\t\t{\"type\": \"p\"}\n\t]\n}\n", "{\n\t\"name\": \"n\",\n\t\"plugins\": [\n\t\t{\"type\": \"p\"},\n\t\t{\"type\": \"cni-guard\", \"mode\": \"audit\"}\n\t]\n}\n"},
		{"several lines each", "{\"name\":\"n\",\"plugins\":[\r\n  {\r\n    \"type\": \"p\"\r\n  }\r\n]}", "{\"name\":\"n\",\"plugins\":[\r\n  {\r\n    \"type\": \"p\"\r\n  },\r\n  {\r\n    \"type\": \"cni-guard\",\r\n    \"mode\": \"audit\"\r\n  }\r\n]}"},
		{"commas in front", "{\"name\":\"n\",\"plugins\":[\n  {\"type\":\"a\"}\n, {\"type\":\"b\"}\n]}", "{\"name\":\"n\",\"plugins\":[\n  {\"type\":\"a\"}\n, {\"type\":\"b\"}\n, {\"type\":\"cni-guard\",\"mode\":\"audit\"}\n]}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := edit.Insert([]byte(c.doc), []byte(entry), edit.Last)
			if err != nil || string(got) != c.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, c.want)
			}
		})
	}
}

// What the operator wrote stays, and is moved where it is to be.
func TestThereAlready(t *testing.T) {
	const own, list = `{ "type":"cni-guard","mode" :"enforce" }`, `{"name":"n","plugins":[`
	for _, c := range []struct {
		name, plugins string
		at            edit.Placement
		want          string
	}{
		{"last", `{"type":"p"},  ` + own, edit.Last, `{"type":"p"},  ` + own},
		{"first", own + `,{"type":"p"},{"type":"q"}`, edit.Last, `{"type":"p"},{"type":"q"},` + own},
		{"between", `{"type":"p"}, ` + own + `,{"type":"q"}`, edit.Last, `{"type":"p"},{"type":"q"},` + own},
		{"at both ends", own + `,{"type":"p"},{"type":"cni-guard"}`, edit.Last, `{"type":"p"},{"type":"cni-guard"}`},
		{"at both ends, as asked for", own + `,{"type":"p"}, {"type":"cni-guard"}`, edit.FirstAndLast, own + `,{"type":"p"}, {"type":"cni-guard"}`},
		{"last, and first is asked for", `{"type":"p"},` + own, edit.FirstAndLast, `{"type":"cni-guard","mode":"audit"},{"type":"p"},` + own},
		{"first, and last is asked for", own + `,{"type":"p"}`, edit.FirstAndLast, own + `,{"type":"p"},{"type":"cni-guard","mode":"audit"}`},
		{"in disguise", `{"type":"p"},{"\u0074ype":"cni-gu\u0061rd"},{"type":"q"}`, edit.Last, `{"type":"p"},{"type":"q"},{"\u0074ype":"cni-gu\u0061rd"}`},
		{"too often", own + `,` + own + `,{"type":"p"},` + own + `,{"type":"cni-guard"},{"type":"q"}`, edit.Last, `{"type":"p"},{"type":"q"},{"type":"cni-guard"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := edit.Insert([]byte(list+c.plugins+"]}"), []byte(entry), c.at)
			if want := list + c.want + "]}"; err != nil || string(got) != want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// A list of the guard alone is not to be left without a plugin.
func TestAlone(t *testing.T) {
	doc := []byte(`{"name":"n","plugins":[{"type":"cni-guard"}]}`)
	if got, err := edit.Remove(doc); err == nil {
		t.Errorf("Remove made %s", got)
	}
	if got, err := edit.Insert(doc, []byte(entry), edit.Last); err != nil || string(got) != string(doc) {
		t.Errorf("Insert made %s, %v", got, err)
	}
	if got, err := edit.Insert(doc, []byte(entry), edit.FirstAndLast); err == nil {
		t.Errorf("Insert made %s", got)
	}
}
