// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// guardctl runs guardctl release for the subject, and returns what it printed and
// its exit code. A command before it, such as unshare, may be given.
func (s *rig) guardctl(before []string, args ...string) (string, int) {
	s.Helper()
	words := append(before, filepath.Join(rigtest.GuardDir(s.T), "guardctl"), "release", "--ifname=eth0", "--network="+chain.Name,
		"--cache-dir="+filepath.Join(s.Dir, "cache"), "--conf-dir="+filepath.Join(s.Dir, "conf"),
		"--state-dir="+filepath.Join(s.Dir, "state"),
		"--bin-dir="+strings.Join([]string{filepath.Join(s.Dir, "bin"), rigtest.GuardDir(s.T), rigtest.RefDir(s.T)}, ":"))
	if !strings.Contains(strings.Join(args, " "), "--container-id") {
		words = append(words, "--container-id="+s.pod.ID)
	}
	words = append(words, args...)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	s.Logf("guardctl release %s:\n%s", strings.Join(args, " "), out)
	if exit != nil {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

// wantWhole asserts that the subject lives and nothing of it was released.
func (s *rig) wantWhole() {
	s.Helper()
	if s.leases(s.pod) == "" {
		s.Error("the address is released, and the pod lives")
	}
	if err := s.runtime.Check(s.Context(), s.pod); err != nil {
		s.Errorf("the pod is not as it was: %v", err)
	}
}

// oneAddress is a chain of which only one pod has an address at a time. It has a
// bridge, by which guardctl knows the node's namespace although pid 1 is in another.
func oneAddress(r *rigtest.Rig, more ...chain.Plugin) []chain.Plugin {
	one := r.HostLocal().With("ranges", [][]map[string]string{{
		{"subnet": "10.88.0.0/24", "rangeStart": "10.88.0.5", "rangeEnd": "10.88.0.5"},
	}})
	return append([]chain.Plugin{chain.Bridge(one)}, more...)
}

// wantHeir adds a pod that is given the address of the subject.
func (s *rig) wantHeir() chain.Pod {
	s.Helper()
	heir, result := s.add("heir", s.holder().Path())
	if got := chain.Address(result); got != chain.Address(s.result) {
		s.Fatalf("the heir has %s, not the address of the pod that was lost", got)
	}
	return heir
}

// By hand nothing is released of a pod that lives, wherever the operator sits.
// The mount namespace of a debug pod has an empty file where the node has the pin.
func TestReleaseByHandWhileThePodLives(t *testing.T) {
	r := rigtest.New(t)
	rigtest.Need(t, "unshare", "umount")
	s := withChain(t, r, guarded, "1.0.0", oneAddress(r, chain.Firewall())...)
	pin := s.pin()
	elsewhere := []string{"unshare", "--mount", "--propagation", "private", "sh", "-c", `umount "$0" && exec "$@"`, pin.Path}
	for name, before := range map[string][]string{"on the node": nil, "in another mount namespace": elsewhere} {
		for _, flag := range []string{"--output=text", "--output=json", "--dry-run"} {
			if out, code := s.guardctl(before, flag); code != 2 || !strings.Contains(out, "live") {
				t.Errorf("%s with %s the exit code is %d, want 2", name, flag, code)
			}
			s.wantWhole()
		}
	}
	// Part of the ID names the pod, and a wrong one nobody.
	if out, code := s.guardctl(nil, "--container-id=subjec"); code != 2 || !strings.Contains(out, "of container subject") {
		t.Errorf("with part of the ID the exit code is %d", code)
	}
	if out, code := s.guardctl(nil, "--container-id=subject0"); code != 2 || !strings.Contains(out, "no attachment is known") {
		t.Errorf("with an ID that nobody has the exit code is %d", code)
	}
	s.wantWhole()

	// It is the operator's right all the same, and remembered.
	if out, code := s.guardctl(nil, "--force"); code != 0 || !strings.Contains(out, "released in full") {
		t.Errorf("with --force the exit code is %d", code)
	}
	if s.leases(s.pod) != "" {
		t.Error("--force released nothing")
	}
}

// The operator releases a lost pod; the next one is given its address. Neither
// the DEL that the runtime sends then, nor another release, takes the heir's rules;
// also where the guard had no record of the pod.
func TestReleaseByHandIsRemembered(t *testing.T) {
	for name, known := range map[string]bool{"on record": true, "older than the guard": false} {
		t.Run(name, func(t *testing.T) {
			r := rigtest.New(t)
			s := withChain(t, r, guarded, "1.0.0", oneAddress(r, chain.Firewall())...)
			pin := s.pin()
			if !known {
				s.forgetRecord()
			}
			if err := pin.PointAt(s.Node.Path); err != nil {
				t.Fatal(err)
			}
			s.lost()
			if _, code := s.guardctl(nil, "--dry-run"); code != 0 {
				t.Errorf("the exit code of the dry run is %d", code)
			}
			if s.leases(s.pod) == "" {
				t.Error("the dry run released the address")
			}
			if _, code := s.guardctl(nil); code != 0 {
				t.Errorf("the exit code is %d", code)
			}
			heir := s.wantHeir()
			before := s.snapshot(s.Node.Path)
			for range 2 {
				if removal := s.remove(); !removal.Complete() {
					t.Errorf("the runtime's DEL is to be tried again: %v", removal.Err)
				}
				if out, code := s.guardctl(nil, "--force"); code != 0 || !strings.Contains(out, "released before") {
					t.Errorf("released again by hand the exit code is %d", code)
				}
			}
			if err := s.runtime.Check(t.Context(), heir); err != nil {
				t.Errorf("the heir is not as it was: %v", err)
			}
			s.wantSame(s.Node.Path, before)
		})
	}
}
