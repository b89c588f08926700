// SPDX-License-Identifier: Apache-2.0

package assess_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// A shape is a directory as it is found on real nodes, with the right answer: testdata
// has one in each file. The sections are "record", "allow" and "call", which are the intent;
// "default network" and "max conf num", which are CRI-O's and containerd's; "want", and "want crio" and the like where that
// runtime differs; and the files, below net.d.
type shape struct {
	name       string
	intent     assess.Intent
	network    string
	maxConfNum int
	want       map[string]string
	files      map[string]string
}

func shapes(t testing.TB) (all []shape) {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) < 60 {
		t.Fatal("the corpus has less than 60 directories:", len(paths), err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := shape{maxConfNum: 1, name: strings.TrimSuffix(filepath.Base(path), ".txtar"), want: map[string]string{}, files: map[string]string{}}
		for _, f := range archive.Files {
			text := strings.TrimSpace(string(f.Data))
			switch name, isFile := strings.CutPrefix(f.Name, "net.d/"); {
			case isFile:
				s.files[name] = string(f.Data)
			case f.Name == "record":
				if err := json.Unmarshal(f.Data, &s.intent.Record); err != nil {
					t.Fatal(path, err)
				}
			case f.Name == "allow":
				s.intent.Allow = strings.Fields(text)
			case f.Name == "default network":
				s.network = text
			case f.Name == "max conf num":
				if s.maxConfNum, err = strconv.Atoi(text); err != nil {
					t.Fatal(path, err)
				}
			case f.Name == "call":
				s.intent.Network = text
			case strings.HasPrefix(f.Name, "want"):
				s.want[strings.TrimSpace(strings.TrimPrefix(f.Name, "want"))] = text
			default:
				t.Fatalf("%s: what is section %q?", path, f.Name)
			}
		}
		all = append(all, s)
	}
	return all
}

// make writes the directory.
func (s shape) make(t testing.TB, dir string) {
	t.Helper()
	for name, text := range s.files {
		text = strings.ReplaceAll(text, "$DIR", dir)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (s shape) runtimes() (all []conflist.Runtime) {
	for _, kind := range []conflist.Kind{conflist.Containerd, conflist.CRIO, conflist.CRIDockerd} {
		r := conflist.NewRuntime(kind)
		r.Supports = func(string, string) error { return nil }
		switch kind {
		case conflist.Containerd:
			r.MaxConfNum = s.maxConfNum
		case conflist.CRIO:
			r.DefaultNetwork = s.network
		}
		all = append(all, r)
	}
	return all
}

// answer writes an assessment as the corpus has it.
func answer(a assess.Assessment) string {
	var lines []string
	for _, f := range a.Files {
		lines = append(lines, f.Role.String()+" "+f.Name)
	}
	for _, p := range a.Problems {
		lines = append(lines, strings.TrimSpace("problem "+string(p.Kind)+" "+p.File))
	}
	slices.Sort(lines)
	intended := a.Intended
	if intended == "" {
		intended = "unknown"
	}
	return strings.Join(append([]string{"intended " + intended}, lines...), "\n")
}

func TestCorpus(t *testing.T) {
	for _, s := range shapes(t) {
		for _, r := range s.runtimes() {
			t.Run(s.name+"/"+r.Kind.String(), func(t *testing.T) {
				dir := t.TempDir()
				s.make(t, dir)
				selection, err := conflist.Select(dir, r)
				if err != nil {
					t.Fatal(err)
				}
				want, ok := s.want[r.Kind.String()]
				if !ok {
					want = s.want[""]
				}
				lines := strings.Split(want, "\n")
				slices.Sort(lines[1:])
				a := assess.Assess(selection, s.intent)
				if got := answer(a); got != strings.Join(lines, "\n") {
					t.Errorf("got\n%s\nwant\n%s\nproblems %+v", got, strings.Join(lines, "\n"), a.Problems)
				}
			})
		}
	}
}

// The advice is what guardctl install accepts: it puts the guard into a file of
// another network than before, or into a sample, only where that file is named.
func TestAdviceWhereTheGuardedFileIsGone(t *testing.T) {
	record := &assess.Record{File: "10-calico.conflist", Network: "k8s-pod-network"}
	for name, want := range map[string]struct{ content, command, remedy string }{
		"100-crio-bridge.conflist": {`{"cniVersion":"1.0.0","name":"crio","plugins":[{"type":"bridge"}]}`, "",
			"find out why 10-calico.conflist is gone: the network plugin writes it when its pod starts on this node; to guard the sample, run guardctl install --file 100-crio-bridge.conflist"},
		"10-flannel.conflist": {`{"cniVersion":"1.0.0","name":"cbr0","plugins":[{"type":"flannel"}]}`, "",
			"if it belongs to the network plugin that this node has now, run guardctl install --file 10-flannel.conflist; otherwise put 10-calico.conflist back"},
		"20-calico.conflist": {`{"cniVersion":"1.0.0","name":"k8s-pod-network","plugins":[{"type":"calico"}]}`, "guardctl install", ""},
	} {
		dir := t.TempDir()
		shape{files: map[string]string{name: want.content}}.make(t, dir)
		selection, err := conflist.Select(dir, conflist.NewRuntime(conflist.Containerd))
		if err != nil {
			t.Fatal(err)
		}
		got := assess.Assess(selection, assess.Intent{Record: record}).Problems
		if len(got) != 1 || got[0].Command != want.command || got[0].Remedy != want.remedy {
			t.Errorf("%s: got %+v, want command %q and remedy %q", name, got, want.command, want.remedy)
		}
	}
}

// A look at no more files than the runtime reads gives the same answer of the ones
// that it read, so that the check on ADD agrees with guardctl.
func TestGlanceAgrees(t *testing.T) {
	for _, s := range shapes(t) {
		for _, r := range s.runtimes() {
			t.Run(s.name+"/"+r.Kind.String(), func(t *testing.T) {
				dir := t.TempDir()
				s.make(t, dir)
				selection, err := conflist.Select(dir, r)
				if err != nil {
					t.Fatal(err)
				}
				names, err := conflist.Names(dir)
				if err != nil {
					t.Fatal(err)
				}
				full, lazy := assess.Assess(selection, s.intent), assess.Assess(conflist.SelectLazy(dir, names, r), s.intent)
				if answer(full) != answer(lazy) {
					t.Errorf("all files read:\n%s\nread as needed:\n%s", answer(full), answer(lazy))
				}
			})
		}
	}
}

// Without the network of cni_default_network the remedy names it. A call proves that
// CRI-O works, so that such a problem is minor then.
func TestNothingLoaded(t *testing.T) {
	crio := conflist.NewRuntime(conflist.CRIO)
	crio.DefaultNetwork = "gone"
	for network, minor := range map[string]bool{"": false, "k8s-pod-network": true} {
		problems := assessed(t, map[string]string{"10-calico.conflist": calico}, crio, assess.Intent{Network: network}).Problems
		if len(problems) == 0 || problems[0].Kind != assess.NothingLoaded || problems[0].Minor != minor || !strings.Contains(problems[0].Remedy, `put the file of network "gone" back`) {
			t.Errorf("call of %q: got %+v", network, problems)
		}
	}
}

// A copy that differs from its source refuses no pod that calls by it.
func TestOwnCopyDiffersIsMinorForCalls(t *testing.T) {
	files := map[string]string{
		"10-flannel.conflist": flannel,
		conflist.OwnFile:      strings.Replace(flannelGuarded, `"flannel"`, `"flannel", "mtu": 9000`, 1),
	}
	for network, minor := range map[string]bool{"": false, "cbr0": true} {
		problems := assessed(t, files, conflist.NewRuntime(conflist.Containerd), assess.Intent{Network: network}).Problems
		if len(problems) != 1 || problems[0].Kind != assess.OwnCopyDiffers || problems[0].Minor != minor {
			t.Errorf("call of %q: got %+v", network, problems)
		}
	}
}
