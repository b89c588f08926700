// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

func TestReadDropIns(t *testing.T) {
	list := func(more string) string { return `{"name":"n"` + more + `}` }
	const inlined = `,"plugins":[{"type":"p"}]`
	for name, c := range map[string]struct {
		tree tree
		want string // the types, each with the file it is from; or how the error begins
	}{
		"in the order of names, .conf only": {tree{"a.conflist": list(inlined), "n/2.conf": `{"type":"two"}`, "n/1.conf": `{"type":"one"}`,
			"n/.0.conf": `{"type":"hidden"}`, "n/3.conflist": "", "n/4.json": "", "n/5.CONF": "", "n/6.conf/7.conf": ""}, "p hidden@n/.0.conf one@n/1.conf two@n/2.conf"},
		"they alone":                      {tree{"a.conflist": list(""), "n/1.conf": `{"type":"one"}`}, "one@n/1.conf"},
		"none, and none in the file":      {tree{"a.conflist": list(""), "n": "/"}, "refused: it has no plugins, and no drop-in adds one"},
		"not wanted":                      {tree{"a.conflist": list(inlined + `,"loadOnlyInlinedPlugins":true`), "n/1.conf": "{"}, "p"},
		"a bad one":                       {tree{"a.conflist": list(inlined), "n/1.conf": `{"type":7}`}, "refused: read drop-in DIR/n/1.conf: type has the wrong type: number"},
		"one without a type":              {tree{"a.conflist": list(inlined), "n/1.conf": `{}`}, "refused: read drop-in DIR/n/1.conf: it has no type"},
		"one that leads nowhere":          {tree{"a.conflist": list(inlined), "n/1.conf": "->gone"}, "refused: read drop-in DIR/n/1.conf: it is a link to gone, which does not exist"},
		"one that is a pipe":              {tree{"a.conflist": list(inlined), "n/1.conf": "|"}, "refused: read drop-in DIR/n/1.conf: it is a named pipe"},
		"a number that is out of range":   {tree{"a.conflist": list(inlined), "n/1.conf": `{"type":"one","x":1e999}`}, "p one@n/1.conf"},
		"a file instead of the directory": {tree{"a.conflist": list(inlined), "n": ""}, `refused: read drop-ins of network "n"`},
		"of a network without a name":     {tree{"a.conflist": `{"name":""` + inlined + `}`, "z.conf": `{"type":"z"}`}, "p z@z.conf"},
		"of one that is two dots":         {tree{"a.conflist": `{"name":".."` + inlined + `}`, "../z.conf": `{"type":"z"}`}, "p z@../z.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.tree.make(t)
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
	dir := tree{"a.conf": single("n", "p"), "n/1.conf": "{"}.make(t)
	l, err := conflist.Read(dir, "a.conf")
	if got := sources(l, err, dir); got != "p" || !l.Single || l.Inlined != 1 || l.Name != "n" {
		t.Errorf("got %q: %+v", got, l)
	}
}

// An entry is given as it stands, so that a check can read its own keys.
func TestReadKeepsEntries(t *testing.T) {
	const raw = `{ "type": "p",  "mtu": 12345678901234567890 }`
	dir := tree{"a.conflist": `{"name":"n","plugins":[` + raw + `]}`}.make(t)
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
	dir := tree{
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
	dir := tree{"a.conflist": of("n", "p")}.make(t)
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

// TestEffectiveReadsNoMore watches which files are opened.
func TestEffectiveReadsNoMore(t *testing.T) {
	four := tree{"1.conflist": of("a", "bridge"), "2.conf": "{", "3.conflist": of("c", "bridge"), "4.conflist": of("d", "bridge"), "5.bak": ""}
	five := tree{"1.conflist": "", "2.conf": single("b", "bridge"), "3.conflist": of("c", "bridge")}
	for name, c := range map[string]struct {
		tree    tree
		runtime conflist.Runtime
		want    string
	}{
		"containerd":               {four, containerd(1), "1.conflist"},
		"containerd, a bad file":   {four, containerd(3), "1.conflist 2.conf"},
		"containerd, all":          {tree{"1.conflist": four["1.conflist"], "3.conflist": four["3.conflist"]}, containerd(0), "1.conflist 3.conflist"},
		"cri-o":                    {five, crio(t, ""), "1.conflist 2.conf"},
		"cri-o, a default network": {five, crio(t, "c"), "1.conflist 2.conf 3.conflist"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.tree.make(t)
			opened := watch(t, dir)
			_, _ = conflist.Effective(dir, c.runtime)
			if got := strings.Join(opened(), " "); got != c.want {
				t.Errorf("opened %q, want %q", got, c.want)
			}
			if _, err := conflist.Names(dir); err != nil || len(opened()) > 0 {
				t.Errorf("Names opened files, or failed: %v", err)
			}
		})
	}
}

// watch returns a function that returns the files opened since it was last called.
func watch(t *testing.T, dir string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err == nil {
		_, err = unix.InotifyAddWatch(fd, dir, unix.IN_OPEN)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func() []string {
		buf := make([]byte, 64<<10)
		n, err := unix.Read(fd, buf)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		return slices.Compact(names(buf[:max(n, 0)]))
	}
}

func names(events []byte) []string {
	var names []string
	for len(events) > 0 {
		e := (*unix.InotifyEvent)(unsafe.Pointer(&events[0]))
		end := unix.SizeofInotifyEvent + int(e.Len)
		if e.Len > 0 {
			names = append(names, strings.TrimRight(string(events[unix.SizeofInotifyEvent:end]), "\x00"))
		}
		events = events[end:]
	}
	return names
}

// unprivileged lets the test's thread read only what anybody may.
func unprivileged(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocks: the thread ends with the test
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&hdr, &caps[0]); err != nil {
		t.Fatal(err)
	}
	for _, c := range []int{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH} {
		caps[0].Effective &^= 1 << c
	}
	if err := os.NewSyscallError("capset", unix.Capset(&hdr, &caps[0])); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for name, c := range map[string]struct {
		types []string
		want  bool
	}{
		"loopback":  {[]string{"loopback"}, true},
		"beside it": {[]string{"loopback", "bridge"}, false},
		"no plugin": {nil, false},
	} {
		var l conflist.List
		for _, plugin := range c.types {
			l.Plugins = append(l.Plugins, conflist.Plugin{Type: plugin})
		}
		if l.OnlyLoopback() != c.want || (conflist.File{Plugins: c.types}).OnlyLoopback() != c.want {
			t.Errorf("%s: is not %t", name, c.want)
		}
	}
}
