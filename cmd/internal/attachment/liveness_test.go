// SPDX-License-Identifier: Apache-2.0

package attachment_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// Each case begins with a sandbox "pod" that has veth1 and 10.1.0.5, and changes it. The
// tests run in a PID namespace of their own, so no search for processes is complete.
func TestLiveness(t *testing.T) {
	elsewhere := func(r *ledger.Record) { r.Netns = "/run/netns/elsewhere" }
	noCookie := func(r *ledger.Record) { r.Cookie = 0 }
	otherBoot := func(r *ledger.Record) { r.BootID = "another" }
	none := func(*testing.T) {}
	end := func(t *testing.T) { // the kernel takes the veth down later
		checktest.Shell(t, "ip netns del pod; while ip -o link show type veth | grep -q .; do sleep 0.01; done")
	}
	next := 1
	for name, c := range map[string]struct {
		record  func(*ledger.Record) // nil: no record
		result  string               // the interfaces in the cache; %s is the MAC of veth1
		path    string               // in the cache
		happens func(*testing.T)
		want    release.Verdict
		because string
	}{
		"lives where ADD saw it":                      {func(*ledger.Record) {}, "", "", none, release.Alive, "/run/netns/pod"},
		"lives, and the path on record leads nowhere": {elsewhere, "", "", none, release.Alive, "it is mounted at"},
		"the path leads to the node": {
			func(r *ledger.Record) { r.Netns = "/proc/self/ns/net" }, `{"name":"veth1","mac":"%s"}`, "", end, release.Gone, "veth1",
		},
		"ended":                    {func(*ledger.Record) {}, `{"name":"cni0"},{"name":"veth1","mac":"%s"}`, "", end, release.Gone, "veth1"},
		"ended, nothing of a veth": {func(*ledger.Record) {}, `{"name":"eth0","sandbox":"/run/netns/pod"}`, "", end, release.CannotTell, "/run/netns/pod does not exist"},
		"ended, the bridge, too":   {func(*ledger.Record) {}, `{"name":"cni0","mac":"02:00:00:00:00:07"}`, "", end, release.CannotTell, ""},
		"ended, kindnet's result":  {func(*ledger.Record) {}, `{"name":"eth0"}`, "", end, release.CannotTell, ""},
		"another boot":             {otherBoot, "", "", end, release.Gone, "before the last boot"},
		"another boot, and lives after all": {
			both(otherBoot, elsewhere), `{"name":"veth1","mac":"%s"}`, "", hide, release.Alive, "veth1",
		},
		"no record, lives":                 {nil, `{"name":"veth1","mac":"%s"}`, "/run/netns/pod", none, release.Alive, "has the pod's address"},
		"no record, ended":                 {nil, `{"name":"veth1","mac":"%s"}`, "/run/netns/pod", end, release.Gone, "veth1"},
		"no record, no veth, ended":        {nil, "", "/run/netns/pod", end, release.CannotTell, ""},
		"no cookie, lives":                 {noCookie, "", "", none, release.Alive, "has the pod's address"},
		"no cookie, ended":                 {noCookie, "", "", end, release.CannotTell, ""},
		"unseen, the veth has its MAC":     {elsewhere, `{"name":"veth1","mac":"%s"}`, "", hide, release.Alive, "the peer of veth1 is in another namespace"},
		"unseen, the veth has another MAC": {elsewhere, `{"name":"veth1","mac":"02:00:00:00:00:07"}`, "", hide, release.CannotTell, "of unknown owner"},
		"unseen, the result has no MAC":    {elsewhere, `{"name":"veth1"}`, "", hide, release.CannotTell, "of unknown owner"},
		"unseen, nothing of a veth":        {elsewhere, "", "", hide, release.CannotTell, ""},
		"the pin is an empty file":         {func(*ledger.Record) {}, `{"name":"veth1","mac":"%s"}`, "", hide, release.Alive, "veth1"},
		"no record, the veth was renamed":  {nil, `{"name":"veth1","mac":"%s"}`, "", rename, release.Alive, "has the pod's address"},
		"unseen, the veth was renamed":     {nil, `{"name":"veth1","mac":"%s"}`, "", both(hide, rename), release.Alive, "has the MAC that ADD reported"},
		"no record, another name and MAC":  {nil, `{"name":"veth1","mac":"02:00:00:00:00:07"}`, "", rename, release.Alive, "has the pod's address in an existing namespace"},
		"the address, another pod's MAC": {
			nil, `{"name":"veth1","mac":"02:00:00:00:00:07"},{"name":"eth0","mac":"02:00:00:00:00:08","sandbox":"/gone"}`, "", rename, release.CannotTell, "with another MAC",
		},
		"next sandbox of the pod, by veth":  {func(r *ledger.Record) { r.Cookie++; r.Netns = "" }, `{"name":"veth1","mac":"%s"}`, "", none, release.Gone, "veth1"},
		"next sandbox, no cookie, by addr.": {noCookie, `{"name":"veth1","mac":"02:00:00:00:00:07"}`, "", readdress, release.Gone, "another"},
		"has another address, no cookie":    {noCookie, `{"name":"veth1","mac":"%s"}`, "", readdress, release.CannotTell, "has the MAC that ADD reported"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			veth := fmt.Sprintf("veth%d", next) // the kernel may still be taking down the last one
			next++
			path, mac := s.pod("pod", veth, "10.1.0.5")
			actual := strings.NewReplacer("veth1", veth, "%s", mac)
			if c.record != nil {
				s.record(path, c.record)
			}
			if c.result != "" || c.path != "" {
				s.cache("c1", c.path, actual.Replace(c.result), "10.1.0.5")
			}
			c.happens(t)
			j := s.lookup().Liveness()
			if j.Verdict != c.want || len(j.Evidence) == 0 || !strings.Contains(fmt.Sprint(j.Reasons()), actual.Replace(c.because)) {
				t.Errorf("the verdict is %s by %q, want %s by %q", j.Verdict, j.Reasons(), c.want, c.because)
			}
		})
	}
}

// both returns a function that calls two functions in turn.
func both[T any](deeds ...func(T)) func(T) {
	return func(t T) {
		for _, do := range deeds {
			do(t)
		}
	}
}

// rename renames the newest host veth.
func rename(t *testing.T) {
	t.Helper()
	checktest.Shell(t, `v=$(ip -o link show type veth | sed -n 's/^[0-9]*: \([^@]*\)@.*/\1/p' | tail -n 1); ip link set "$v" down; ip link set "$v" name "x$v"`)
}

// In a network namespace other than the node's, no host veth is visible, which proves
// nothing about the pod.
func TestLivenessElsewhere(t *testing.T) {
	checktest.PrivateNode(t)
	if dir := os.Getenv(sceneOf); dir != "" {
		fmt.Printf("verdict: %s;\n", sceneIn(t, dir).lookup().Liveness().Verdict)
		return
	}
	for name, c := range map[string]struct {
		interfaces, setup string
		want              release.Verdict
	}{
		"of a privileged pod": {`{"name":"vethz"}`, "", release.CannotTell},
		"with the bridge":     {`{"name":"cni0"},{"name":"vethz"}`, "ip link add cni0 type bridge", release.Gone},
		"without the bridge":  {`{"name":"cni0"},{"name":"vethz"}`, "", release.CannotTell},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.cache("c1", "", c.interfaces, "10.1.0.5")
			child := exec.Command("unshare", "--net", "sh", "-ec", c.setup+"\nexec "+os.Args[0]+" -test.run='^TestLivenessElsewhere$' -test.v")
			child.Env = append(os.Environ(), sceneOf+"="+s.dir)
			out, err := child.CombinedOutput()
			if want := "verdict: " + string(c.want) + ";"; err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%v, %s; want %q", err, out, want)
			}
		})
	}
}

// sceneOf is the environment variable with the scene's directory for a test that starts
// itself in another namespace.
const sceneOf = "TEST_SCENE"

// hide unmounts the pod's namespace and keeps it open, as another mount namespace would.
func hide(t *testing.T) {
	t.Helper()
	file, err := os.Open("/run/netns/pod")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := unix.Unmount("/run/netns/pod", unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
}

// readdress replaces the address in the pod's namespace.
func readdress(t *testing.T) {
	checktest.Shell(t, "ip -n pod addr del 10.1.0.5/24 dev eth0")
	checktest.Shell(t, "ip -n pod addr add 10.1.0.6/24 dev eth0")
}

// A record or cache entry that cannot be read proves nothing.
func TestLivenessUnreadable(t *testing.T) {
	s := newScene(t)
	s.pod("pod", "vethx", "10.1.0.6")
	s.cache("c1", "", `{"name":"nonesuch","mac":"02:00:00:00:00:07"}`, "10.1.0.5")
	if j := s.lookup().Liveness(); j.Verdict != release.Gone {
		t.Fatalf("the verdict is %+v", j)
	}
	live := filepath.Join(s.stateDir(), "live")
	if err := os.MkdirAll(live, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(live, "net:c1:eth0"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if j := s.lookup().Liveness(); j.Verdict != release.CannotTell {
		t.Errorf("the verdict is %+v", j)
	}
}

// podman restarted a container with the same ID, and the new sandbox was not recorded.
// The retired record and its cookie are those of the previous sandbox.
func TestLivenessRestarted(t *testing.T) {
	checktest.PrivateNode(t)
	s := newScene(t)
	before, _ := s.pod("before", "veth0", "10.1.0.5")
	s.record(before, nil)
	s.retire()
	checktest.Shell(t, "ip netns del before")
	path, mac := s.pod("pod", "veth1", "10.1.0.5")
	s.cache("c1", path, fmt.Sprintf(`{"name":"veth1","mac":%q}`, mac), "10.1.0.5")
	if j := s.lookup().Liveness(); j.Verdict != release.Alive {
		t.Errorf("the verdict is %v, because %q", j.Verdict, j.Evidence)
	}
}
