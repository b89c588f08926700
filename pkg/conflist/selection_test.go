// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A tree is what a test puts into a config directory: the content of
// each file by its name. Where a content begins with "->" it is a link, "|" makes
// a pipe and "/" a directory.
type tree map[string]string

func (f tree) make(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net.d")
	f.makeIn(t, dir)
	return dir
}

func (f tree) makeIn(t testing.TB, dir string) {
	t.Helper()
	for name, content := range f {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = create(path, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func create(path, content string) error {
	switch {
	case strings.HasPrefix(content, "->"):
		return os.Symlink(content[2:], path)
	case content == "|":
		return syscall.Mkfifo(path, 0o600)
	case content == "/":
		return os.MkdirAll(path, 0o755)
	}
	return os.WriteFile(path, []byte(content), 0o600)
}

// of is a list of a network with plugins.
func of(network string, plugins ...string) string {
	for i, p := range plugins {
		plugins[i] = fmt.Sprintf(`{"type":%q}`, p)
	}
	return fmt.Sprintf(`{"name":%q,"cniVersion":"1.0.0","plugins":[%s]}`, network, strings.Join(plugins, ","))
}

// single is a file that is no list.
func single(network, plugin string) string {
	return fmt.Sprintf(`{"name":%q,"type":%q}`, network, plugin)
}

// A selectionCase is a directory, and what a runtime is to make of it.
type selectionCase struct {
	name    string
	tree    tree
	runtime conflist.Runtime
	want    string // a line "NAME: VERDICT: REASON" for each file, and last one that begins with "error: "
}

// check compares, and wants Effective to say the same as Select.
func (s selectionCase) check(t *testing.T) {
	dir := s.tree.make(t)
	got, err := conflist.Select(dir, s.runtime)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(s.want)
	if lines := strings.TrimSpace(describe(got, dir)); lines != want {
		t.Errorf("got\n%s\nwant\n%s", lines, want)
	}
	f, err := conflist.Effective(dir, s.runtime)
	if e := got.Effective(); e == nil && (err == nil || err.Error() != got.Err.Error()) || e != nil && (err != nil || fmt.Sprint(f) != fmt.Sprint(*e)) {
		t.Errorf("Effective says %+v, %v; Select %+v, %v", f, err, e, got.Err)
	}
}

func describe(s conflist.Selection, dir string) string {
	var b strings.Builder
	for _, f := range s.Files {
		fmt.Fprintf(&b, "%s: %s: %s\n", f.Name, f.Verdict, f.Reason)
	}
	if s.Err != nil {
		fmt.Fprintf(&b, "error: %v\n", s.Err)
	}
	return strings.ReplaceAll(b.String(), dir, "DIR")
}

func run(t *testing.T, cases []selectionCase) {
	for _, c := range cases {
		t.Run(c.name, c.check)
	}
}

// A directory that is named like a configuration is called one where nothing else is
// there.
func TestFolderNamedLikeAFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "10-a.conflist"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []conflist.Kind{conflist.Containerd, conflist.CRIO} {
		if _, err := conflist.Effective(dir, conflist.NewRuntime(kind)); err == nil || !strings.Contains(err.Error(), "10-a.conflist is a directory, and must be a file") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// What is said of a directory without a file is what is true once the file is gone.
func TestWithout(t *testing.T) {
	f := tree{"05-x.conflist": "", "10-a.conflist": of("a", "bridge"), "20-b.conf": single("b", "ptp"), "x.bak": ""}
	for _, r := range []conflist.Runtime{containerd(1), containerd(0), conflist.NewRuntime(conflist.CRIO)} {
		for name := range f {
			dir := f.make(t)
			all, err := conflist.Select(dir, r)
			if err != nil {
				t.Fatal(err)
			}
			predicted := all.Without(name)
			if filepath.Ext(name) != ".bak" { // no runtime loads it, and it is listed all the same
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			actual, err := conflist.Select(dir, r)
			if got, want := describe(predicted, dir), describe(actual, dir); err != nil || got != want || errors.Is(predicted.Err, conflist.ErrNoNetwork) != (actual.Err != nil) {
				t.Errorf("without %s: predicted\n%s\ncame (%v)\n%s", name, got, err, want)
			}
		}
	}
}

// The guard belongs into the file that Multus hands pods on to.
func TestDelegate(t *testing.T) {
	const flannel, calico = "10-flannel.conflist", "20-calico.conflist"
	for name, c := range map[string]struct{ multus, want string }{
		"a delegate":          {`{"name":"m","type":"multus","delegates":[{"name":"calico"},{"name":"flannel"}]}`, calico},
		"a network":           {`{"name":"m","type":"multus","clusterNetwork":"calico"}`, calico},
		"a file":              {`{"name":"m","type":"multus-shim","clusterNetwork":"/host/etc/cni/net.d/20-calico.conflist"}`, calico},
		"nothing":             {`{"name":"m","type":"multus"}`, flannel},
		"a network of nobody": {`{"name":"m","type":"multus","clusterNetwork":"weave"}`, ""},
	} {
		dir := tree{
			"00-multus.conf": c.multus, "01-broken.conflist": "{", "02-multus.conf": single("m2", "multus"),
			flannel: of("flannel", "flannel"), calico: of("calico", "calico"),
		}.make(t)
		multus, err := conflist.Read(dir, "00-multus.conf")
		if err != nil || !multus.Multus() {
			t.Fatal(multus, err)
		}
		got, l, err := conflist.DelegateFile(dir, multus, containerd(1))
		if got != c.want || (err == nil) != (c.want != "") || l.Multus() {
			t.Errorf("%s: got %q %v, want %q", name, got, err, c.want)
		}
	}
}

// What a copy differs in is what changes what pods get.
func TestDiffers(t *testing.T) {
	const own = `{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"bridge","mtu":1400,"bridge":"b"},{"type":"cni-guard"}]}`
	for name, c := range map[string]struct {
		file, doc string
		differs   string
	}{
		"the same":                          {"1.conflist", `{"plugins":[{"bridge":"b", "type":"bridge","mtu":1400}],"name":"a","cniVersion":"1.0.0"}`, ""},
		"a single":                          {"1.conf", `{"name":"a","cniVersion":"1.0.0","type":"bridge","bridge":"b","mtu":1400}`, ""},
		"another setting":                   {"1.conflist", `{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"bridge","mtu":1500,"bridge":"b"}]}`, "has other settings for bridge"},
		"another version":                   {"1.conflist", `{"name":"a","cniVersion":"0.4.0","plugins":[{"type":"bridge","mtu":1400,"bridge":"b"}]}`, `has the cniVersion "1.0.0" instead of "0.4.0"`},
		"a single of another version":       {"1.conf", `{"name":"a","cniVersion":"0.4.0","type":"bridge","bridge":"b","mtu":1400}`, `has the cniVersion "1.0.0" instead of "0.4.0"`},
		"a single without a version":        {"1.conf", `{"name":"a","type":"bridge","bridge":"b","mtu":1400}`, `has the cniVersion "1.0.0" instead of ""`},
		"a single of other settings":        {"1.conf", `{"name":"a","cniVersion":"1.0.0","type":"bridge","bridge":"b","mtu":1500}`, "has other settings for bridge"},
		"a single with an entry made of it": {"1.conf", `{"cniVersion":"1.0.0","type":"bridge","bridge":"b","mtu":1400,"name":"a"}`, ""},
		"another network":                   {"1.conflist", of("b", "bridge"), `has the network "a" instead of "b"`},
		"another plugin":                    {"1.conflist", of("a", "ptp"), "calls bridge instead of ptp"},
		"one more of them":                  {"1.conflist", of("a", "bridge", "istio-cni"), "calls bridge instead of bridge, istio-cni"},
	} {
		dir := tree{"0.conflist": own, c.file: c.doc}.make(t)
		mine, err := conflist.Read(dir, "0.conflist")
		if err != nil {
			t.Fatal(err)
		}
		its, err := conflist.Read(dir, c.file)
		if err != nil {
			t.Fatal(err)
		}
		if got := mine.Difference(its); got != c.differs {
			t.Errorf("%s: %q, want %q", name, got, c.differs)
		}
	}
}
