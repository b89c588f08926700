// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// script installs a plugin that is a shell script.
func (s *rig) script(name, text string) {
	s.Helper()
	bin := filepath.Join(s.Dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		s.Fatal(err)
	}
}

// countFirewall puts a plugin firewall before the reference one that counts its
// DELs, and returns a function that tells them.
func (s *rig) countFirewall() (dels func() int) {
	log := filepath.Join(s.Dir, "firewall.log")
	s.script("firewall", fmt.Sprintf("[ \"$CNI_COMMAND\" != DEL ] || echo DEL >>%q\nexec %q\n", log, filepath.Join(rigtest.RefDir(s.T), "firewall")))
	return func() int {
		text, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			s.Fatal(err)
		}
		return strings.Count(string(text), "DEL")
	}
}

// scriptRig sets the rig with our programs, and plugins that are scripts, in a
// directory of its own.
func scriptRig(t *testing.T, r *rigtest.Rig, version string, plugins ...chain.Plugin) *rig {
	t.Helper()
	for _, program := range []string{"cni-guard", "guardctl", "loopback"} {
		install(t, r.Dir, program)
	}
	return withChain(t, r, withoutGuardctl, version, plugins...)
}

// handOn is a plugin that hands its prevResult on, and runs the text at DEL.
func handOn(del string) string {
	return "conf=$(cat)\nif [ \"$CNI_COMMAND\" = ADD ]; then\n" +
		"\tprintf '%s' \"$conf\" | sed 's/.*\"prevResult\"://; s/,\"type\":.*//'\n" +
		"elif [ \"$CNI_COMMAND\" = DEL ]; then\n" + del + "\nfi\n"
}

// The process that releases is killed in one of the plugins. What runs then ends
// with it, and the next DEL calls the rest, but not firewall, which was called: by
// then the address is the next pod's where the primary plugin gave it back.
func TestReleaseKilledHalfWay(t *testing.T) {
	for name, freed := range map[string]bool{"before the address is free": false, "when the address is free": true} {
		t.Run(name, func(t *testing.T) {
			r := rigtest.New(t)
			rigtest.Need(t, "flock", "sed")
			plugins := oneAddress(r, chain.Plugin{"type": "killer"}, chain.Firewall())
			if freed {
				plugins = append([]chain.Plugin{{"type": "killer"}}, oneAddress(r, chain.Firewall())...)
			}
			s := scriptRig(t, r, "1.0.0", plugins...)
			dels := s.countFirewall()
			lock, killed := filepath.Join(s.Dir, "lock"), filepath.Join(s.Dir, "killed")
			del := fmt.Sprintf("[ -e %[1]q ] && exit 0\n: >%[1]q\nexec 9>%[2]q\nflock 9\nkill -9 $PPID\nexec sleep 1000", killed, lock)
			s.script("killer", handOn(del))
			if freed { // the first plugin of a list has no prevResult
				s.script("killer", "cat >/dev/null\nif [ \"$CNI_COMMAND\" = ADD ]; then echo '{\"cniVersion\":\"1.0.0\"}'\nelif [ \"$CNI_COMMAND\" = DEL ]; then\n"+del+"\nfi\n")
			}
			p := s.hold()
			s.end(p)
			s.reuse(p.PID)

			if r := s.remove(); r.Complete() {
				t.Error("the removal completed, though the release was killed")
			}
			if out, err := exec.Command("flock", "--timeout", "60", lock, "true").CombinedOutput(); err != nil {
				t.Fatalf("the plugin outlives the release: %v: %s", err, out)
			}
			if held := s.leases(s.pod) != ""; held == freed {
				t.Fatalf("the address is held: %t", held)
			}
			var heir chain.Pod
			if freed {
				heir = s.wantHeir()
			}
			if r := s.remove(); !r.Complete() {
				t.Errorf("the removal is to be retried: %v", r.Err)
			}
			if held := s.leases(s.pod); held != "" {
				t.Errorf("still leased: %s", held)
			}
			if n := dels(); n != 1 {
				t.Errorf("firewall was called %d times for the pod", n)
			}
			if freed {
				if err := s.runtime.Check(t.Context(), heir); err != nil {
					t.Errorf("the heir is not as it was: %v", err)
				}
			}
		})
	}
}

// Two DELs of one pod at once, as of two runtimes, release it once.
func TestReleaseTwiceAtOnce(t *testing.T) {
	r := rigtest.New(t)
	s := scriptRig(t, r, "1.0.0", oneAddress(r, chain.Firewall())...)
	dels := s.countFirewall()
	p := s.hold()
	s.end(p)
	s.reuse(p.PID)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			err := node.Within(s.Node.Path, func() error {
				s.runtime.Remove(t.Context(), s.pod)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if r := s.remove(); !r.Complete() {
		t.Errorf("the removal is to be retried: %v", r.Err)
	}
	if held := s.leases(s.pod); held != "" {
		t.Errorf("still leased: %s", held)
	}
	if n := dels(); n != 1 {
		t.Errorf("firewall was called %d times", n)
	}
}

// Where nothing can be recorded, the cache of the runtime tells that the address
// is the next pod's.
func TestReleaseUnrecorded(t *testing.T) {
	r := rigtest.New(t)
	s := scriptRig(t, r, "1.0.0", oneAddress(r, chain.Firewall())...)
	dels := s.countFirewall()
	p := s.hold()
	state := filepath.Join(s.Dir, "state")
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, nil, 0o600); err != nil { // as good as a full disk, for root, too
		t.Fatal(err)
	}
	s.end(p)
	s.reuse(p.PID)
	for range 2 {
		r := s.remove()
		if !r.Complete() {
			t.Errorf("the removal is to be retried: %v", r.Err)
		}
	}
	if held := s.leases(s.pod); held != "" {
		t.Errorf("still leased: %s", held)
	}
	called := dels()
	heir := s.wantHeir()
	before := s.snapshot(s.Node.Path)
	s.remove()
	if err := s.runtime.Check(t.Context(), heir); err != nil {
		t.Errorf("the heir is not as it was: %v", err)
	}
	s.wantSame(s.Node.Path, before)
	if n := dels(); n != called {
		t.Errorf("firewall was called %d times, and %d times before the heir was there", n, called)
	}
}

// A plugin that keeps addresses in a database of its own, and whose result names
// eth0 without sandbox and MAC, as kindnet's: the removal completes, the answer
// says that the address was kept, and does not name the node's eth0.
func TestReleaseKept(t *testing.T) {
	r := rigtest.New(t)
	s := scriptRig(t, r, "0.4.0", chain.Plugin{"type": "cni-kindnet"})
	s.script("cni-kindnet", `cat >/dev/null
[ "$CNI_COMMAND" != ADD ] || echo '{"cniVersion":"0.4.0","interfaces":[{"name":"eth0"}],"ips":[{"version":"4","interface":0,"address":"10.244.0.5/32"}]}'
`)
	p := s.holder()
	s.pod = chain.Pod{ID: "subject", Netns: p.Path()}
	if _, err := s.runtime.Add(t.Context(), s.pod); err != nil {
		t.Fatal(err)
	}
	if err := p.End(); err != nil {
		t.Fatal(err)
	}
	s.reuse(p.PID)
	removal := s.remove()
	if !removal.Complete() {
		t.Errorf("the removal is to be retried, for ever: %v", removal.Err)
	}
	said := fmt.Sprint(removal.Said)
	for _, want := range []string{"its address was NOT given back", "10.244.0.5 in /var/lib/cni-kindnet/cni.db"} {
		if !strings.Contains(said, want) {
			t.Errorf("the answer lacks %q: %s", want, said)
		}
	}
	if strings.Contains(said, "interface eth0") {
		t.Errorf("the answer names the node's eth0: %s", said)
	}
}
