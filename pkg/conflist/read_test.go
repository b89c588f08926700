// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

func TestReadDropIns(t *testing.T) {
	list := func(more string) string { return `{"name":"n"` + more + `}` }
	const inlined = `,"plugins":[{"type":"p"}]`
	for name, c := range map[string]struct {
		folder folder
		want   string // the types, each with the file it is from; or how the error begins
	}{
		"in the order of names, .conf only": {folder{"a.conflist": list(inlined), "n/2.conf": `{"type":"two"}`, "n/1.conf": `{"type":"one"}`,
			"n/.0.conf": `{"type":"hidden"}`, "n/3.conflist": "", "n/4.json": "", "n/5.CONF": "", "n/6.conf/7.conf": ""}, "p hidden@n/.0.conf one@n/1.conf two@n/2.conf"},
		"they alone":                    {folder{"a.conflist": list(""), "n/1.conf": `{"type":"one"}`}, "one@n/1.conf"},
		"none, and none in the file":    {folder{"a.conflist": list(""), "n": "/"}, "refused: it has no plugins, and no drop-ins add some"},
		"not wanted":                    {folder{"a.conflist": list(inlined + `,"loadOnlyInlinedPlugins":true`), "n/1.conf": "{"}, "p"},
		"a bad one":                     {folder{"a.conflist": list(inlined), "n/1.conf": `{"type":7}`}, "refused: read drop-in DIR/n/1.conf: type is of the wrong type: number"},
		"one without a type":            {folder{"a.conflist": list(inlined), "n/1.conf": `{}`}, "refused: read drop-in DIR/n/1.conf: it has no type"},
		"one that leads nowhere":        {folder{"a.conflist": list(inlined), "n/1.conf": "->gone"}, "refused: read drop-in DIR/n/1.conf: it is a link to gone, which is not there"},
		"one that is a pipe":            {folder{"a.conflist": list(inlined), "n/1.conf": "|"}, "refused: read drop-in DIR/n/1.conf: it is a pipe"},
		"a number that is out of range": {folder{"a.conflist": list(inlined), "n/1.conf": `{"type":"one","x":1e999}`}, "p one@n/1.conf"},
		"a file instead of the folder":  {folder{"a.conflist": list(inlined), "n": ""}, `refused: read drop-ins of network "n"`},
		"of a network without a name":   {folder{"a.conflist": `{"name":""` + inlined + `}`, "z.conf": `{"type":"z"}`}, "p z@z.conf"},
		"of one that is two dots":       {folder{"a.conflist": `{"name":".."` + inlined + `}`, "../z.conf": `{"type":"z"}`}, "p z@../z.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.folder.make(t)
			l, err := conflist.Read(dir, "a.conflist")
			if got := sources(l, err, dir); got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func sources(l conflist.List, err error, dir string) string {
	if err != nil {
		return "refused: " + strings.ReplaceAll(err.Error(), dir, "DIR")
	}
	words := make([]string, len(l.Plugins))
	for i, p := range l.Plugins {
		words[i] = p.Type
		if p.DropIn != "" {
			words[i] += "@" + p.DropIn
		}
	}
	return strings.Join(words, " ")
}

// A file that is no list has no drop-ins.
func TestReadSingle(t *testing.T) {
	dir := folder{"a.conf": single("n", "p"), "n/1.conf": "{"}.make(t)
	l, err := conflist.Read(dir, "a.conf")
	if got := sources(l, err, dir); got != "p" || !l.Single || l.Inlined != 1 || l.Name != "n" {
		t.Errorf("got %q: %+v", got, l)
	}
}

// An entry is given as it stands, so that a check can read its own keys.
func TestReadKeepsEntries(t *testing.T) {
	const raw = `{ "type": "p",  "mtu": 12345678901234567890 }`
	dir := folder{"a.conflist": `{"name":"n","plugins":[` + raw + `]}`}.make(t)
	l, err := conflist.Read(dir, "a.conflist")
	if err != nil || string(l.Plugins[0].Raw) != raw {
		t.Errorf("got %+v, %v", l, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a.conflist")); err != nil || !l.ModTime.Equal(info.ModTime()) {
		t.Errorf("got %v, %v", l.ModTime, err)
	}
}

func TestReadLarge(t *testing.T) {
	const mega = 1 << 20
	dir := folder{
		"1.conflist":  fmt.Sprintf(`{"name":"n","x":%q,"plugins":[{"type":"p"}]}`, strings.Repeat("x", mega)),
		"17.conflist": strings.Repeat(" ", 17*mega),
	}.make(t)
	if l, err := conflist.Read(dir, "1.conflist"); err != nil || len(l.Plugins) != 1 {
		t.Errorf("1 MiB: %v", err)
	}
	if _, err := conflist.Read(dir, "17.conflist"); err == nil || err.Error() != "it is larger than 16 MiB" {
		t.Errorf("17 MiB: %v", err)
	}
}

func TestReadWithoutPermission(t *testing.T) {
	dir := folder{"a.conflist": of("n", "p")}.make(t)
	if err := os.Chmod(filepath.Join(dir, "a.conflist"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		unprivileged(t)
	}
	_, err := conflist.Read(dir, "a.conflist")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestFolderThatIsNotThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	r := conflist.NewRuntime(conflist.Containerd)
	_, selectErr := conflist.Select(dir, r)
	_, effectiveErr := conflist.Effective(dir, r)
	_, namesErr := conflist.Names(dir)
	for _, err := range []error{selectErr, effectiveErr, namesErr} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v", err)
		}
	}
}

// The words are what guardctl prints and reads.
func TestWords(t *testing.T) {
	for _, k := range []conflist.Kind{0, conflist.Containerd, conflist.CRIO, conflist.CRIDockerd} {
		var back conflist.Kind
		if text, err := json.Marshal(k); err != nil || json.Unmarshal(text, &back) != nil || back != k {
			t.Errorf("%d: %s, %v, %d", k, text, err, back)
		}
	}
	for v := conflist.Selected; v <= conflist.NotLoadable; v++ {
		var back conflist.Verdict
		if text, err := json.Marshal(v); err != nil || json.Unmarshal(text, &back) != nil || back != v {
			t.Errorf("%d: %s, %v, %d", v, text, err, back)
		}
	}
	if _, err := conflist.ParseKind("docker"); err == nil || err.Error() != `read runtime: "docker" is none of containerd, crio, cri-dockerd` {
		t.Errorf("got %v", err)
	}
	if _, err := conflist.Select(t.TempDir(), conflist.Runtime{}); err == nil {
		t.Error("nobody selects, and yet there is a selection")
	}
}
