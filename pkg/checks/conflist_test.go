// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

const (
	guarded = `{"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": "bridge", "ipam": {"type": "host-local"}}, {"type": "portmap"}, {"type": "cni-guard"}]}`
	other   = `{"cniVersion": "1.0.0", "name": "b", "plugins": [{"type": "ptp", "ipam": {"type": "host-local"}}]}`
)

// confDir makes a directory of files.
func confDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		plant(t, filepath.Join(dir, name), text, time.Hour)
	}
	return dir
}

// plant writes a file that was there for some time.
func plant(t testing.TB, path, text string, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(-age)
	if err := os.Chtimes(path, since, since); err != nil {
		t.Fatal(err)
	}
}

// twenty is a directory of as many files, the guard's and others of one text.
func twenty(pattern, text string) map[string]string {
	files := map[string]string{"10-a.conflist": guarded}
	for i := range 19 {
		files[fmt.Sprintf(pattern, i+20)] = text
	}
	return files
}

// called is what the check sees at the ADD of a pod of network a.
func called(dir string, set checks.ConflistOptions) *checks.Target {
	options := guard.OptionsOf[*checks.ConflistOptions](nil)
	options.Allow, options.Scope = set.Allow, set.Scope
	return &checks.Target{
		Netns:   &netstate.Netns{Kind: netstate.Sandbox},
		Conf:    checks.Conf{Dir: dir, Network: "a", Caller: func() (string, error) { return "containerd", nil }},
		Options: []guard.Options{options},
	}
}

// opened counts the files of a directory that f opens, by the kernel's word.
func opened(t *testing.T, dir string, f func()) []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	f()
	var names []string
	buffer := make([]byte, 64<<10)
	n, _ := unix.Read(fd, buffer)
	for at := 0; at+unix.SizeofInotifyEvent <= n; {
		length := int(buffer[at+12]) | int(buffer[at+13])<<8 // inotify(7), len
		name := buffer[at+unix.SizeofInotifyEvent : at+unix.SizeofInotifyEvent+length]
		if name := strings.TrimRight(string(name), "\x00"); name != "" {
			names = append(names, name)
		}
		at += unix.SizeofInotifyEvent + length
	}
	return names
}

func probe(t testing.TB, target *checks.Target) []guard.Finding {
	t.Helper()
	findings, err := checks.Conflist.Probe(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// A pod waits: no file is read that need not be.
func TestConflistReadsLittle(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		options checks.ConflistOptions
		reads   []string
		finds   int
	}{
		"alone":    {map[string]string{"10-a.conflist": "not even read"}, checks.ConflistOptions{}, nil, 0},
		"harmless": {twenty("nerdctl-%d.conflist", "no JSON"), checks.ConflistOptions{}, []string{"10-a.conflist"}, 0},
		"allowed":  {twenty("%d-b.conflist", "no JSON"), checks.ConflistOptions{Allow: []string{"*-b.conflist"}}, []string{"10-a.conflist"}, 0},
		"allowed before": {map[string]string{"05-b.conflist": "no JSON", "10-a.conflist": guarded},
			checks.ConflistOptions{Allow: []string{"05-*"}}, []string{"10-a.conflist"}, 0},
		"no names of files": {twenty("%d-b.conflist.bak", "no JSON"), checks.ConflistOptions{}, nil, 0},
		"waiting": {twenty("%d-b.conflist", other), checks.ConflistOptions{},
			[]string{"10-a.conflist", "20-b.conflist", "21-b.conflist", "22-b.conflist"}, 4},
		"waiting, any": {twenty("%d-b.conflist", other), checks.ConflistOptions{Scope: checks.ScopeAny},
			[]string{"10-a.conflist", "20-b.conflist", "21-b.conflist", "22-b.conflist"}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			dir := confDir(t, c.files)
			var findings []guard.Finding
			reads := opened(t, dir, func() { findings = probe(t, called(dir, c.options)) })
			if !slices.Equal(reads, c.reads) {
				t.Errorf("reads %q, want %q", reads, c.reads)
			}
			if len(findings) != c.finds {
				t.Errorf("findings %v, want %d", findings, c.finds)
			}
		})
	}
}

// The file is read once for all checks of a run.
func TestConflistIsReadOnceARun(t *testing.T) {
	dir := confDir(t, map[string]string{"10-a.conflist": guarded, "99-loopback.conf": "{}"})
	target := called(dir, checks.ConflistOptions{})
	target.Want.Addrs = []netip.Prefix{netip.MustParsePrefix("10.244.1.7/24")}
	target.Node = netstate.Unreadable{Err: os.ErrPermission}
	reads := opened(t, dir, func() {
		guard.Run(t.Context(), []*checks.Check{checks.Conflist, checks.PodCIDR}, guard.Add, guard.Settings{}, target)
	})
	if !slices.Equal(reads, []string{"10-a.conflist"}) {
		t.Errorf("reads %q", reads)
	}
}

// What a finding tells to do names both files.
func TestConflistRemedy(t *testing.T) {
	dir := confDir(t, map[string]string{"05-b.conflist": other, "10-a.conflist": guarded})
	findings := probe(t, called(dir, checks.ConflistOptions{}))
	want := fmt.Sprintf("Run guardctl conf quarantine %[1]s/05-b.conflist, and keep %[1]s/10-a.conflist.", dir)
	if len(findings) != 1 || findings[0].Remedy != want {
		t.Errorf("findings %+v, want one with the remedy %q", findings, want)
	}
}

// A name that is no word stands in quotes: the message stays one sentence.
func TestConflistQuotesNames(t *testing.T) {
	dir := confDir(t, map[string]string{"05 b\n.conflist": other, "10-a.conflist": guarded})
	findings := probe(t, called(dir, checks.ConflistOptions{}))
	if len(findings) != 1 || strings.Contains(findings[0].String(), "\n") || !strings.Contains(findings[0].Object, `05 b\n.conflist"`) {
		t.Errorf("findings %q", findings)
	}
}

// Without confDir, the usual directory with a file of the guard's counts, where there
// is no more than one.
func TestSearch(t *testing.T) {
	leftover := confDir(t, map[string]string{"05-b.conflist": other, "10-broken.conf": ""})
	right := confDir(t, map[string]string{"10-a.conflist": guarded})
	old := confDir(t, map[string]string{"05-a.conflist": guarded})
	missing, link := filepath.Join(right, "missing"), filepath.Join(t.TempDir(), "net.d")
	if err := os.Symlink(right, link); err != nil {
		t.Fatal(err)
	}
	r := conflist.NewRuntime(conflist.Containerd)
	for name, c := range map[string]struct {
		dirs      []string
		want, err string
	}{
		"first":      {[]string{right, leftover}, right, ""},
		"second":     {[]string{missing, leftover, right}, right, ""},
		"none":       {[]string{missing, leftover}, "", `no file in ` + missing + `, ` + leftover + ` has cni-guard in network "a"; set "confDir"`},
		"unreadable": {[]string{"/dev/null", leftover}, "", "not a directory"},
		"despite":    {[]string{"/dev/null", right}, right, ""},
		"twice":      {[]string{right, leftover, old}, "", right + "/10-a.conflist and " + old + `/05-a.conflist both have a file with cni-guard in network "a"; set "confDir"`},
		"a link":     {[]string{right, link}, right, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := called("", checks.ConflistOptions{}).Search(c.dirs, r)
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("search returns %q, error %v; want %q, %q", got, err, c.want, c.err)
			}
		})
	}
}

// The budget is 150 µs in a directory of 20 files.
func BenchmarkConflist(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(benchmarks())) {
		b.Run(name, func(b *testing.B) {
			dir := confDir(b, benchmarks()[name])
			b.ReportAllocs()
			for b.Loop() {
				probe(b, called(dir, checks.ConflistOptions{Scope: checks.ScopeEffective}))
			}
		})
	}
}

func benchmarks() map[string]map[string]string {
	return map[string]map[string]string{
		"files=1":           {"10-a.conflist": guarded},
		"files=2":           {"10-a.conflist": guarded, "87-podman-bridge.conflist": other},
		"files=20,harmless": twenty("nerdctl-%d.conflist", other),
		"files=20,waiting":  twenty("%d-b.conflist", other),
	}
}
