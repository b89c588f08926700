// SPDX-License-Identifier: Apache-2.0

package edit_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

const entry = `{"type":"cni-guard","mode":"audit"}`

// corpus returns the files of a directory of testdata.
func corpus(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.conf*"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no corpus", err)
	}
	docs := map[string][]byte{}
	for _, p := range paths {
		if docs[filepath.Base(p)], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	return docs
}

// types returns the plugins of a list as libcni reads it.
func types(t testing.TB, doc []byte) (types []string) {
	t.Helper()
	list, err := libcni.NetworkConfFromBytes(doc)
	if err != nil {
		t.Fatalf("libcni refuses it: %v\n%s", err, doc)
	}
	for _, p := range list.Plugins {
		types = append(types, p.Network.Type)
	}
	return types
}

// inverse wants the round trip to lose nothing and the list to be right.
func inverse(t testing.TB, doc []byte, at edit.Placement) []byte {
	t.Helper()
	with, err := edit.Insert(doc, []byte(entry), at)
	if err != nil {
		t.Fatalf("insert: %v\n%q", err, doc)
	}
	want := append(types(t, doc), conflist.GuardType)
	if at == edit.FirstAndLast {
		want = append([]string{conflist.GuardType}, want...)
	}
	if got := types(t, with); !slices.Equal(got, want) {
		t.Errorf("the list is %q, want %q", got, want)
	}
	if again, err := edit.Insert(with, []byte(`{"type":"cni-guard"}`), at); err != nil || !bytes.Equal(again, with) {
		t.Errorf("inserted again: %v\n%s\nwant\n%s", err, again, with)
	}
	if back, err := edit.Remove(with); err != nil || !bytes.Equal(back, doc) {
		t.Errorf("removed again: %v\n%q\nwant\n%q", err, back, doc)
	}
	return with
}

func TestRemoveUndoesInsert(t *testing.T) {
	for name, doc := range corpus(t, "lists") {
		t.Run(name, func(t *testing.T) {
			inverse(t, doc, edit.FirstAndLast)
			inverse(t, doc, edit.Last)
			if same, err := edit.Remove(doc); err != nil || !bytes.Equal(same, doc) {
				t.Errorf("a list without the guard was changed: %v\n%q", err, same)
			}
		})
	}
}

// A large list is edited as a small one is.
func TestLarge(t *testing.T) {
	big := bytes.Repeat([]byte(`{"type":"tuning","sysctl":{"a":"plugins"}},`), 1<<20/40)
	doc := append([]byte(`{"name":"n","plugins":[`), append(big, `{"type":"p"}]}`...)...)
	if len(doc) < 1<<20 {
		t.Fatal("not that large")
	}
	inverse(t, doc, edit.Last)
}

func TestRoundTripOfConf(t *testing.T) {
	for name, doc := range corpus(t, "plugins") {
		t.Run(name, func(t *testing.T) {
			list, err := edit.FromConf(doc)
			if err != nil {
				t.Fatal(err)
			}
			sameNetwork(t, doc, list)
			with := inverse(t, list, edit.Last)
			without, err := edit.Remove(with)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := edit.ToConf(without); err != nil || !bytes.Equal(back, doc) {
				t.Errorf("back: %v\n%q\nwant\n%q", err, back, doc)
			}
			if _, err := edit.ToConf(with); err == nil {
				t.Error("a list with the guard in it became a plugin")
			}
		})
	}
}

// sameNetwork compares the list with the one that a runtime makes of the plugin.
func sameNetwork(t *testing.T, doc, list []byte) {
	t.Helper()
	conf, err := libcni.NetworkPluginConfFromBytes(doc)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 go-cni calls it
	want, err := libcni.ConfListFromConf(conf)
	if err != nil {
		t.Fatal(err)
	}
	got, err := libcni.NetworkConfFromBytes(list)
	if err != nil {
		t.Fatalf("%v\n%s", err, list)
	}
	if got.Name != want.Name || got.CNIVersion != want.CNIVersion || len(got.Plugins) != 1 || got.Plugins[0].Network.Type != want.Plugins[0].Network.Type {
		t.Errorf("the list is %+v, want %+v", got, want)
	}
}

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

// What is wrong or could be read in two ways is refused, with what it is.
func TestRefused(t *testing.T) {
	const plugins = `"plugins":[{"type":"p"}]`
	for _, c := range []struct{ name, doc, want string }{
		{"plugins twice", `{"name":"n",` + plugins + `,` + plugins + `}`, `the key "plugins" twice`},
		{"plugins twice, once in disguise", `{"name":"n",` + plugins + `,"plug\u0069ns":[{"type":"p"}]}`, `the key "plugins" twice`},
		{"plugins in disguise", `{"name":"n","plug\u0069ns":[{"type":"p"}]}`, `as "plug\u0069ns": write it without`},
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
		`{"type":"p"}`:                          "has no network name",
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
