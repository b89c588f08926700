// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// packed writes a snapshot and reads it again.
func packed(t testing.TB, s *Snapshot) *Snapshot {
	t.Helper()
	var bundle bytes.Buffer
	if err := s.Write(&bundle); err != nil {
		t.Fatal(err)
	}
	read, err := Read(&bundle)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// Every method of a View that reads is recorded and replayed: one that is added to the
// View must be added here as well, or a bundle has no answer of it.
func TestEveryReadIsRecorded(t *testing.T) {
	notRecorded := []string{"IsPeerIn", "AddPort", "SetBridgeNetfilter", "SetUp", "AddAddr", "SetSysctl"}
	asked := errors.New("asked")
	view := reflect.TypeFor[netstate.View]()
	for i := range view.NumMethod() {
		name := view.Method(i).Name
		var k kernel
		call := func(v netstate.View) error {
			method := reflect.ValueOf(v).MethodByName(name)
			var args []reflect.Value
			for at := range method.Type().NumIn() {
				if method.Type().IsVariadic() && at == method.Type().NumIn()-1 {
					break
				}
				in := method.Type().In(at)
				if in == reflect.TypeFor[context.Context]() {
					args = append(args, reflect.ValueOf(t.Context()))
					continue
				}
				if in.Kind() == reflect.Slice {
					args = append(args, reflect.MakeSlice(in, 1, 1))
					continue
				}
				args = append(args, reflect.Zero(in))
			}
			out := method.Call(args)
			err, _ := out[len(out)-1].Interface().(error)
			return err
		}
		if err := call(recorder{netstate.Unreadable{Err: asked}, &k}); !errors.Is(err, asked) {
			t.Errorf("%s: %v", name, err)
		}
		recorded := len(k.Answers.asked)+len(k.Conversations)+len(k.Dialed) > 0
		if exempt := contains(notRecorded, name); recorded == exempt {
			t.Errorf("%s: recorded is %v, and exempt %v", name, recorded, exempt)
		}
		if recorded {
			if err := call(newReplayed(&k)); err == nil || err.Error() != "asked" {
				t.Errorf("%s: the replay returns %v", name, err)
			}
		}
		if err := call(newReplayed(&kernel{})); !errors.Is(err, ErrNotRecorded) {
			t.Errorf("%s: the replay of nothing returns %v", name, err)
		}
	}
}

// A field of a Target that this package does not know is not in a bundle.
func TestEveryFieldIsRecorded(t *testing.T) {
	for of, known := range map[reflect.Type]string{
		// Those from ContainerID to Holder, Adding and Override belong to a pod. PeersProbed
		// is given what others have recorded.
		reflect.TypeFor[checks.Target](): "ContainerID IfName Netns Pod Want Recorded Cookie Holder Adding Override PeersProbed " +
			"Node Attached Conf ReturnPaths SourceDestCheck WatchCounters TryInotify Thorough Options Root Files Now StateDir",
		reflect.TypeFor[checks.Conf](): "Dir Network Runtime Caller CRIODefaultNetwork Intent Loopback Inspect",
	} {
		for i := range of.NumField() {
			if f := of.Field(i); f.IsExported() && !contains(strings.Fields(known), f.Name) {
				t.Errorf("%s.%s is not recorded", of, f.Name)
			}
		}
	}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func TestFailures(t *testing.T) {
	wrapped := fmt.Errorf("read x: %w", &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES})
	for _, err := range []error{
		&fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}, wrapped, syscall.ENETUNREACH, os.ErrDeadlineExceeded,
		fmt.Errorf("a: %w", netstate.ErrNoConntrack), netstate.ErrLargeTable, errors.New("b"), guard.Skip("there is no record"),
	} {
		text, _ := json.Marshal(failureOf(err))
		var f failure
		if json.Unmarshal(text, &f) != nil {
			t.Fatalf("%s", text)
		}
		got := f.err()
		if got.Error() != err.Error() {
			t.Errorf("%q became %q", err, got)
		}
		for name, sentinel := range sentinels() {
			if errors.Is(err, sentinel) != errors.Is(got, sentinel) {
				t.Errorf("%v: %s is no longer so", err, name)
			}
		}
		var a, b syscall.Errno
		if errors.As(err, &a) != errors.As(got, &b) || a != b {
			t.Errorf("%v: errno %v became %v", err, a, b)
		}
	}
}

// A counter that grew while the checks looked grows again in the replay.
func TestSeveralAnswers(t *testing.T) {
	var a Answers
	for _, n := range []uint64{1, 1, 2, 5} {
		_, _ = record(&a, n, nil, "Counter", "x")
	}
	for range 2 {
		a.rewind()
		for _, want := range []uint64{1, 1, 2, 5, 5} {
			if got, err := replay[uint64](&a, "Counter", "x"); err != nil || got != want {
				t.Errorf("%d, error %v, want %d", got, err, want)
			}
		}
	}
}

// A bundle has no secrets, and a FIFO is not opened.
func TestSecretsStay(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"conf/10-a.conflist":       `{"name":"a","plugins":[{"type":"x","kubernetes":{"k8s_auth_token":"hunter2"}}]}`,
		"conf/calico-kubeconfig":   "token: hunter2\n",
		"conf/net.d/x.conf":        `{"type":"y","password":"hunter2"}`,
		"state/live/a.json":        `{"args":"K8S_POD_NAME=x;TOKEN=hunter2"}`,
		"state/deep/er/than/a.txt": "secret=hunter2\n",
	} {
		path := filepath.Join(dir, name)
		if os.MkdirAll(filepath.Dir(path), 0o700) != nil || os.WriteFile(path, []byte(text), 0o600) != nil {
			t.Fatal(path)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "conf/20-fifo.conflist"), 0o600); err != nil {
		t.Fatal(err)
	}
	big, err := os.Create(filepath.Join(dir, "conf/30-big.conflist"))
	if err != nil || big.Truncate(8<<30) != nil || big.Close() != nil {
		t.Fatal(err)
	}
	s := New()
	late := s.Collect(t.Context(), Place{ConfDir: filepath.Join(dir, "conf"), StateDir: filepath.Join(dir, "state")}, netstate.Unreadable{Err: errors.New("x")})
	if len(late) > 0 {
		t.Errorf("late: %v", late)
	}
	members, err := s.members()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range members {
		names[strings.TrimPrefix(m.Name, filesDir+dir)] = true
		if bytes.Contains(m.content, []byte("hunter2")) {
			t.Errorf("%s has a secret: %s", m.Name, m.content)
		}
	}
	for name, want := range map[string]bool{"/conf/10-a.conflist": true, "/conf/net.d/x.conf": true, "/state/live/a.json": true, "/conf/calico-kubeconfig": false, "/conf/20-fifo.conflist": false, "/conf/30-big.conflist": false} {
		if names[name] != want {
			t.Errorf("%s is in the bundle: %v, want %v", name, names[name], want)
		}
	}
	if len(s.Manifest.Omitted) != 1 || !strings.HasSuffix(s.Manifest.Omitted[0].Path, "30-big.conflist") {
		t.Errorf("left out: %v", s.Manifest.Omitted)
	}
	read := packed(t, s)
	r := conflist.Runtime{Files: replayFS{files: &read.files}}
	if _, err := r.Read(filepath.Join(dir, "conf"), "10-a.conflist"); err != nil {
		t.Error(err)
	}
}

// What a check asks that was not recorded is unknown, though the check sees nothing wrong;
// and the files and the kernel of this machine are not asked instead.
func TestNotRecorded(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "10-a.conflist"), []byte(`{"name":"poison","plugins":[{"type":"bridge"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New()
	s.facts.ConfDir, s.facts.StateDir, s.facts.Site.Kind, s.facts.Thorough = dir, dir, conflist.Containerd, true
	s.facts.Site.BinDirs = []string{"/bin", "/usr/bin"}
	read := packed(t, s)
	target := read.Target(node.GuardEntry{})
	if _, ok := target.Node.(*netstate.Live); ok || target.Files == hostfs.FS(hostfs.OS{}) {
		t.Fatal("the replay has the kernel or the files of this machine")
	}
	report := guard.Run(t.Context(), read.Suite(checks.Suite()), guard.Node, guard.Settings{}, target)
	for _, o := range report.Outcomes {
		if o.State != guard.Unknown && o.State != guard.Skipped || strings.Contains(fmt.Sprint(o.Findings, o.Err), "poison") {
			t.Errorf("%s: %s, %v, error %v", o.Check, o.State, o.Findings, o.Err)
		}
	}
	peek := &checks.Check{Name: "peek", When: guard.Node, Default: guard.Warn, Probe: func(_ context.Context, t *checks.Target) ([]guard.Finding, error) {
		_, _ = t.Files.Stat("/etc/passwd")
		_, _ = t.Node.Link("lo")
		return nil, nil
	}}
	got := guard.Run(t.Context(), read.Suite([]*checks.Check{peek}), guard.Node, guard.Settings{}, target).Outcomes[0]
	if got.State != guard.Unknown || !errors.Is(got.Err, ErrNotRecorded) {
		t.Errorf("a check that asks for more: %s, error %v", got.State, got.Err)
	}
}

// archive returns a bundle with these files after a manifest.
func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if w.Close() != nil || zip.Close() != nil {
		t.Fatal("close")
	}
	return out.Bytes()
}

func TestHostile(t *testing.T) {
	first := tar.Header{Name: manifestName, Size: 2}
	for name, c := range map[string]struct {
		bundle []byte
		want   string
	}{
		"nothing":       {nil, "EOF"},
		"text":          {[]byte("hello, this is no archive"), "gzip"},
		"no manifest":   {archive(t, tar.Header{Name: "x"}), "first file"},
		"outside":       {archive(t, first, tar.Header{Name: "../../etc/passwd"}), "not a path within"},
		"absolute":      {archive(t, first, tar.Header{Name: "/etc/passwd"}), "not a path within"},
		"link":          {archive(t, first, tar.Header{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), "not a regular file"},
		"device":        {archive(t, first, tar.Header{Name: "x", Typeflag: tar.TypeChar}), "not a regular file"},
		"twice":         {archive(t, first, tar.Header{Name: "x"}, tar.Header{Name: "x"}), "twice"},
		"too large":     {archive(t, first, tar.Header{Name: "x", Size: maxUnpacked}), "more than"},
		"empty as JSON": {archive(t, first), "manifest"},
	} {
		if _, err := Read(bytes.NewReader(c.bundle)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, t.TempDir(), "/dev/zero"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "regular") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A file that was edited by hand is noticed.
func TestChanged(t *testing.T) {
	s := New()
	members, err := s.members()
	if err != nil {
		t.Fatal(err)
	}
	m := Manifest{Kind: Kind, SchemaVersion: Version}
	content := map[string][]byte{}
	for _, one := range members {
		m.Files = append(m.Files, one.Entry)
		content[one.Name] = one.content
	}
	content[manifestName] = nil
	if err := verify(m, content); err != nil {
		t.Error(err)
	}
	content[kernelName] = append(content[kernelName], ' ')
	if err := verify(m, content); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("after an edit: %v", err)
	}
}

// FuzzRead judges whatever can be read.
func FuzzRead(f *testing.F) {
	var valid bytes.Buffer
	s := New()
	s.facts.ConfDir = "/etc/cni/net.d"
	s.files.note("/etc/cni/net.d", func(p *seen) {
		p.Dir = &dirAnswer{Entries: []info{{FileName: "10-a.conflist", Modified: time.Unix(1, 0)}}}
	})
	if err := s.Write(&valid); err != nil {
		f.Fatal(err)
	}
	f.Add(valid.Bytes())
	f.Add(archive(f, tar.Header{Name: manifestName, Size: 2}))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		s, err := Read(bytes.NewReader(bundle))
		if err != nil {
			return
		}
		guard.Run(t.Context(), s.Suite(checks.Suite()), guard.Node, guard.Settings{}, s.Target(node.GuardEntry{}))
	})
}

// FuzzIndex opens what any index names.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"/etc/x":{"open":{"info":{"name":"x","size":3}},"dir":{"entries":[{"name":"y"}]},"same":{"/y":true}}}`))
	f.Add([]byte(`{"/":{"stat":{},"lstat":{"info":{"name":"/","size":-1}},"link":{"text":"/"},"real":{}}}`))
	f.Fuzz(func(t *testing.T, index []byte) {
		var files Files
		if json.Unmarshal(index, &files.paths) != nil || files.check(map[string][]byte{"files/etc/x": []byte("abc")}) != nil {
			return
		}
		r := conflist.NewRuntime(conflist.Containerd)
		r.Files = replayFS{files: &files}
		for _, dir := range []string{"/etc", "/", "/etc/x", ""} {
			_, _ = conflist.Select(dir, r)
			_, _ = r.Files.Stat(dir)
			_, _ = r.Files.Lstat(dir)
			_, _ = r.Files.EvalSymlinks(dir)
			_ = r.Files.Same(dir, "/y")
		}
	})
}

// A bundle is judged at the time of its recording, and not at that of the judge: a table
// that was full for five minutes then is not full for an hour.
func TestJudgedAtItsTime(t *testing.T) {
	const table = `link lo index 1 up
sysctl net/netfilter/nf_conntrack_count = 249037
sysctl net/netfilter/nf_conntrack_max = 262144
counter stat/nf_conntrack/drop = 0
`
	recorded := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	for name, c := range map[string]struct {
		full  string // since when, as the state directory has it
		minor bool
	}{
		"in its first look":        {"", true},
		"for five minutes":         {recorded.Add(-5 * time.Minute).Format(time.RFC3339), true},
		"for a quarter of an hour": {recorded.Add(-15 * time.Minute).Format(time.RFC3339), false},
	} {
		t.Run(name, func(t *testing.T) {
			kernel, err := netstate.Parse(table)
			if err != nil {
				t.Fatal(err)
			}
			state := t.TempDir()
			if c.full != "" {
				dir := filepath.Join(state, "table-pressure")
				text := fmt.Sprintf(`{"boot":"","at":%q,"values":{"stat/nf_conntrack/drop":0},"full":%q}`, c.full, c.full)
				if os.Mkdir(dir, 0o700) != nil || os.WriteFile(filepath.Join(dir, "counters.json"), []byte(text), 0o600) != nil {
					t.Fatal(dir)
				}
			}
			check := checks.Find("table-pressure")
			s := New()
			s.facts.Time = recorded
			target := &checks.Target{Node: kernel, StateDir: state, Now: func() time.Time { return recorded }}
			s.Record(target)
			guard.Run(t.Context(), []*checks.Check{check}, guard.Node, guard.Settings{}, target)
			read := packed(t, s)
			got := guard.Run(t.Context(), read.Suite([]*checks.Check{check}), guard.Node, guard.Settings{}, read.Target(node.GuardEntry{})).Outcomes[0]
			if len(got.Findings) != 1 || got.Findings[0].Minor != c.minor {
				t.Errorf("%s: %+v, error %v, want one finding, minor: %v", got.State, got.Findings, got.Err, c.minor)
			}
		})
	}
}
