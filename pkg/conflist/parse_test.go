// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/utils"
)

// A document is the content of a file, and why it is refused.
type document struct {
	name, doc string
	refused   string // a part of the error; "" where it is valid
}

const entry = `"plugins":[{"type":"p"}]`

func lists() []document {
	return []document{
		{"the least", `{"name":"n",` + entry + `}`, ""},
		{"an empty name", `{"name":"",` + entry + `}`, ""},
		{"no name", `{` + entry + `}`, "it has no name"},
		{"keys of a list are exact", `{"Name":"n",` + entry + `}`, "it has no name"},
		{"a number for a name", `{"name":7,` + entry + `}`, "name is a number, not a string"},
		{"null for a name", `{"name":null,` + entry + `}`, "name is null, not a string"},
		{"a name twice", `{"name":7,"name":"n",` + entry + `}`, ""},
		{"a list for a version", `{"name":"n","cniVersion":[],` + entry + `}`, "cniVersion is a list, not a string"},
		{"a version that is none", `{"name":"n","cniVersion":"x",` + entry + `}`, ""},
		{"the highest of versions", `{"name":"n","cniVersion":"0.3.1","cniVersions":["1.0.0","0.4.0","9.0.0"],` + entry + `}`, ""},
		{"versions that nobody knows", `{"name":"n","cniVersion":"0.3.1","cniVersions":["9.0.0"],` + entry + `}`, ""},
		{"two spellings of a version", `{"name":"n","cniVersion":"1.0","cniVersions":["1","1.0.0"],` + entry + `}`, ""},
		{"versions that are none", `{"name":"n","cniVersions":["x"],` + entry + `}`, "read cniVersions"},
		{"versions beside one that is none", `{"name":"n","cniVersion":"x","cniVersions":[],` + entry + `}`, "read cniVersions"},
		{"a number among versions", `{"name":"n","cniVersions":["1.0.0",7],` + entry + `}`, "cniVersions has a number, and must have strings only"},
		{"a string for versions", `{"name":"n","cniVersions":"1.0.0",` + entry + `}`, "cniVersions is a string, not a list"},
		{"flags are booleans, or say so", `{"name":"n","disableCheck":"TRUE","disableGC":true,"loadOnlyInlinedPlugins":"\u0066alse",` + entry + `}`, ""},
		{"a flag that is a number", `{"name":"n","disableGC":1,` + entry + `}`, "disableGC is 1, not true or false"},
		{"a flag that is another word", `{"name":"n","loadOnlyInlinedPlugins":"yes",` + entry + `}`, "loadOnlyInlinedPlugins is \"yes\""},
		{"no plugins, perhaps drop-ins", `{"name":"n"}`, ""},
		{"no plugins, no drop-ins", `{"name":"n","loadOnlyInlinedPlugins":true}`, "it has no plugins"},
		{"an empty list of plugins", `{"name":"n","plugins":[]}`, "its list of plugins is empty"},
		{"null for plugins", `{"name":"n","plugins":null}`, "plugins is null, not a list"},
		{"a plugin that is null", `{"name":"n","plugins":[null]}`, "parse plugin 1 of 1: it has no type"},
		{"a plugin that is a string", `{"name":"n","plugins":["p"]}`, "it is JSON, but no object: string"},
		{"keys of a plugin fold", `{"name":"n","plugins":[{"TYPE":"p"}]}`, ""},
		{"the last in the order of keys counts", `{"name":"n","plugins":[{"type":"","Type":"p"}]}`, "it has no type"},
		{"null takes nothing away", `{"name":"n","plugins":[{"type":null,"Type":"p"}]}`, ""},
		{"a type twice", `{"name":"n","plugins":[{"type":7,"type":"p"}]}`, ""},
		{"the long s folds to s", `{"name":"n","plugins":[{"type":"p","dns":{"nameſervers":7,"nameſervers":[]}}]}`, ""},
		{"an ipam of the wrong type", `{"name":"n","plugins":[{"type":"p","ipam":{"type":7}}]}`, "ipam.type has the wrong type: number"},
		{"a number that is out of range", `{"name":"n","x":1e999,` + entry + `}`, "number 1e999 is out of range"},
		{"one that is, twice", `{"name":"n","x":-1e+999,"x":1,` + entry + `}`, "is out of range"},
		{"many digits", `{"name":"n","x":` + strings.Repeat("9", 400) + `,` + entry + `}`, "is out of range"},
		{"a large number that fits", `{"name":"n","x":[-1E+308,0.1e-999,12345678901234567890],` + entry + `}`, ""},
		{"a string that looks like one", `{"name":"n","x":"\"1e999\\",` + entry + `}`, ""},
		{"nothing", "", "it is empty"},
		{"blank", " \n", "it is empty"},
		{"a byte order mark", "\xef\xbb\xbf{}", "byte order mark"},
		{"UTF-16, little end first", "\xff\xfe{\x00}\x00", "it is encoded in UTF-16"},
		{"UTF-16, big end first", "\xfe\xff\x00{\x00}", "it is encoded in UTF-16"},
		{"UTF-16 without a mark", "{\x00}\x00", "it is encoded in UTF-16"},
		{"a zero byte", `{"name":"n",` + "\n\x00" + entry + `}`, "line 2 has a zero byte (NUL)"},
		{"a zero byte in a string", `{"name":"n` + "\x00" + `",` + entry + `}`, "line 1 has a zero byte (NUL)"},
		{"zeros after a crash", "\x00\x00\x00\x00\x00", "it consists of 5 zero bytes"},
		{"a comment", "{\n// that is one\n}", "line 2 has a comment"},
		{"another comment", "{\"name\":\"n\", # that is one\n}", "line 1 has a comment"},
		{"two documents", `{"name":"n",` + entry + `}{}`, "line 1: invalid character '{' after top-level value"},
		{"half a document", "{\n\"name\"", "line 2: unexpected end of JSON input"},
		{"null", "null", "it has no name"},
		{"a list", "[]", "it is JSON, but no object: array"},
		{"too deep", strings.Repeat("[", 10001), "exceeded max depth"},
	}
}

func singles() []document {
	return []document{
		{"the least", `{"type":"p"}`, ""},
		{"all keys fold", `{"Name":"n","CNIVERSION":"1.0.0","tYpe":"p"}`, ""},
		{"versions count in lists only", `{"name":"n","cniVersion":"0.3.1","cniVersions":["1.0.0"],"type":"p"}`, ""},
		{"no type", `{"name":"n"}`, "it has no type"},
		{"a list", `{"name":"n",` + entry + `}`, "must end in .conflist"},
		{"a type that is gone when sorted", `{"type":"","Type":"p"}`, "it has no type"},
		{"a type that is gone as it stands", `{"Type":"p","type":""}`, "it has no type"},
		{"a wrong one before the right one", `{"type":7,"type":"p"}`, "type has the wrong type"},
		{"a number that is out of range", `{"type":"p","x":1e999}`, "number 1e999 is out of range"},
		{"null", "null", "it has no type"},
		{"nothing", "", "it is empty"},
	}
}

func TestParse(t *testing.T) {
	for kind, documents := range map[string][]document{"list": lists(), "single": singles()} {
		for _, d := range documents {
			t.Run(kind+"/"+d.name, func(t *testing.T) {
				l, err := parser{}.parse([]byte(d.doc), kind == "list")
				if got := message(err); (got == "") != (d.refused == "") || !strings.Contains(got, d.refused) {
					t.Errorf("got %q, want %q", got, d.refused)
				}
				agree(t, []byte(d.doc), kind == "list", l, err)
			})
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// agree compares with libcni v1.3.1.
func agree(t *testing.T, doc []byte, list bool, l List, err error) {
	t.Helper()
	want, wantErr := load(doc, list)
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("we say %v, libcni %v", err, wantErr)
	}
	if err != nil {
		return
	}
	same := slices.EqualFunc(l.Plugins, want.Plugins, func(p Plugin, n *libcni.PluginConfig) bool { return p.Type == n.Network.Type })
	if !same || l.Name != want.Name || l.CNIVersion != want.CNIVersion || list && l.InlinedOnly != want.LoadOnlyInlinedPlugins {
		t.Errorf("we read %+v, libcni %+v", l, want)
	}
}

// load is what go-cni does with the bytes of a file.
func load(doc []byte, list bool) (*libcni.NetworkConfigList, error) {
	if list {
		return libcni.NetworkConfFromBytes(doc)
	}
	conf, err := libcni.NetworkPluginConfFromBytes(doc)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 go-cni calls it
	return libcni.ConfListFromConf(conf)
}

// FuzzParse holds the parser against libcni's.
func FuzzParse(f *testing.F) {
	for _, d := range lists() {
		f.Add([]byte(d.doc), true)
	}
	for _, d := range singles() {
		f.Add([]byte(d.doc), false)
	}
	f.Fuzz(func(t *testing.T, doc []byte, list bool) {
		l, err := parser{}.parse(doc, list)
		agree(t, doc, list, l, err)
		if old, err := (parser{libcni112: true}).parse(doc, list); err == nil && len(old.Plugins) == 0 {
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
		if !json.Valid(doc) || checkNumbers(doc) != nil || !hasDistinctKeys(doc) {
			return
		}
		short, shortErr := parser{}.parsePlugin(doc)
		long, longErr := parser{}.parseReencoded(doc)
		if (shortErr != nil) != (longErr != nil) || shortErr == nil && fmt.Sprint(short) != fmt.Sprint(long) {
			t.Errorf("as it stands: %+v, %v; rewritten: %+v, %v", short, shortErr, long, longErr)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, name := range []string{"", "a", "k8s-pod-network", "10-a.conf", ".a", "-a", "_", "a/b", "a b", "Z9_.-", "é", "a\x00", "a\n"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if want := utils.ValidateNetworkName(name) == nil; ValidName(name) != want {
			t.Errorf("%q: libcni says %v", name, want)
		}
	})
}
