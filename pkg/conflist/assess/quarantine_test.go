// SPDX-License-Identifier: Apache-2.0

package assess_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

const (
	flannel        = `{"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "flannel"}, {"type": "portmap"}]}`
	flannelGuarded = `{"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "flannel"}, {"type": "cni-guard"}]}`
	weave          = `{"cniVersion": "1.0.0", "name": "weave", "plugins": [{"type": "weave-net"}]}`
	calico         = `{"cniVersion": "1.0.0", "name": "k8s-pod-network", "plugins": [{"type": "calico"}]}`
	broken         = `{"cniVersion": "1.0.0", "name": `
)

// assessed judges a directory of some files.
func assessed(t *testing.T, files map[string]string, r conflist.Runtime, in assess.Intent) assess.Assessment {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := conflist.Select(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	return assess.Assess(s, in)
}

// Only a rogue in use may go, and only if pods get the intended network then.
func TestMayLeave(t *testing.T) {
	two := map[string]string{"05-weave.conflist": weave, "06-calico.conflist": calico, "10-flannel.conflist": flannelGuarded}
	for name, c := range map[string]struct {
		files map[string]string
		in    assess.Intent
		leave string
		want  string // in the error; "" for none
	}{
		"the rogue":               {map[string]string{"05-weave.conflist": weave, "10-flannel.conflist": flannelGuarded}, assess.Intent{}, "05-weave.conflist", ""},
		"the intended file":       {two, assess.Intent{}, "10-flannel.conflist", "it is the intended file"},
		"one of two rogues":       {two, assess.Intent{}, "05-weave.conflist", "without it containerd would select 06-calico.conflist"},
		"both":                    {two, assess.Intent{}, "05-weave.conflist 06-calico.conflist", ""},
		"the second of two":       {two, assess.Intent{}, "06-calico.conflist", ""},
		"a rogue before allowed":  {two, assess.Intent{Allow: []string{"06-*"}}, "05-weave.conflist", "without it containerd would select 06-calico.conflist"},
		"allowed, and in use":     {map[string]string{"05-weave.conflist": weave, "10-flannel.conflist": flannelGuarded}, assess.Intent{Allow: []string{"05-*"}}, "05-weave.conflist", "pods would lose that network"},
		"what is left to load":    {map[string]string{"10-flannel.conflist": broken, "20-weave.conflist": weave}, assess.Intent{Record: &assess.Record{File: "10-flannel.conflist"}}, "20-weave.conflist", "it is the only file here that the runtime could load"},
		"one of those left":       {map[string]string{"10-flannel.conflist": broken, "20-weave.conflist": weave, "30-calico.conflist": calico}, assess.Intent{Record: &assess.Record{File: "10-flannel.conflist"}}, "20-weave.conflist", ""},
		"what makes nothing load": {map[string]string{"05-old.conflist": broken, "10-flannel.conflist": flannelGuarded}, assess.Intent{}, "05-old.conflist", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := assessed(t, c.files, conflist.NewRuntime(conflist.Containerd), c.in).CheckQuarantine(strings.Fields(c.leave)...)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// CRI-O skips the intended file while that is broken: without the rogue no pod could start.
func TestMayLeaveNothing(t *testing.T) {
	in := assess.Intent{Record: &assess.Record{File: "10-flannel.conflist"}}
	a := assessed(t, map[string]string{"05-weave.conflist": weave, "10-flannel.conflist": broken}, conflist.NewRuntime(conflist.CRIO), in)
	if err := a.CheckQuarantine("05-weave.conflist"); a.Role("05-weave.conflist") != assess.Rogue || err == nil || !strings.Contains(err.Error(), "without it no pod could start") {
		t.Errorf("a %s, error %v", a.Role("05-weave.conflist"), err)
	}
}

// A file that is not in use has a command only while pods get the intended network.
func TestWaitingCommand(t *testing.T) {
	crio := conflist.NewRuntime(conflist.CRIO)
	crio.DefaultNetwork, crio.BinDirs = "cbr0", []string{t.TempDir()}
	for _, plugin := range []string{"flannel", "calico", "cni-guard"} {
		if err := os.WriteFile(filepath.Join(crio.BinDirs[0], plugin), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	crio.Supports = func(plugin, _ string) error {
		if filepath.Base(plugin) == "flannel" {
			return errors.New("does not answer")
		}
		return nil
	}
	for name, c := range map[string]struct {
		files   map[string]string
		r       conflist.Runtime
		command bool
	}{
		"all well":         {map[string]string{"10-flannel.conflist": flannelGuarded, "20-calico.conflist": calico}, conflist.NewRuntime(conflist.Containerd), true},
		"a rogue is first": {map[string]string{"05-weave.conflist": weave, "10-flannel.conflist": flannelGuarded, "20-calico.conflist": calico}, conflist.NewRuntime(conflist.Containerd), false},
		"nothing is taken": {map[string]string{"10-flannel.conflist": flannelGuarded, "20-calico.conflist": calico}, crio, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := assessed(t, c.files, c.r, assess.Intent{})
			for _, p := range a.Problems {
				if p.File != "20-calico.conflist" {
					continue
				}
				if p.Kind != assess.RogueWaiting || (p.Command != "") != c.command || p.Advice() == "" {
					t.Errorf("got %+v", p)
				}
				return
			}
			t.Errorf("no problem with the file: %+v", a.Problems)
		})
	}
}

// Once guardctl uninstall was run nobody misses the guard, whatever the record says.
func TestUninstalled(t *testing.T) {
	for _, uninstalled := range []bool{false, true} {
		in := assess.Intent{Record: &assess.Record{File: "10-flannel.conflist"}, Uninstalled: uninstalled}
		a := assessed(t, map[string]string{"10-flannel.conflist": flannel}, conflist.NewRuntime(conflist.Containerd), in)
		if missed := len(a.Problems) == 1 && a.Problems[0].Kind == assess.GuardMissing; missed == uninstalled || uninstalled && len(a.Problems) > 0 {
			t.Errorf("uninstalled %v: problems %+v", uninstalled, a.Problems)
		}
	}
}
