// SPDX-License-Identifier: Apache-2.0

package edit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

const entry = `{"type":"cni-guard","mode":"audit"}`

// corpus gives the files of a folder of testdata.
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

// types gives the plugins of a list as libcni reads it.
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
