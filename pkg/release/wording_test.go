// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// The phrases that go-cni looks for, in msg and details alike.
const (
	notFound   = "not found"
	noSuchFile = "no such file or directory"
)

// complete is whether go-cni would take the answer for a network that is gone.
func completes(t testing.TB, e *types.Error) bool {
	t.Helper()
	onTheWire, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back types.Error
	if err := json.Unmarshal(onTheWire, &back); err != nil {
		t.Fatal(err)
	}
	text := strings.ToLower(back.Error()) // so is any case
	return strings.Contains(text, notFound) || strings.Contains(text, noSuchFile)
}

const (
	finding = "host-netns: /run/netns/pod is the network namespace of the node itself"
	advice  = "Delete the pod. Read more: guardctl explain host-netns"
)

// The very words: runtimes read them.
func TestAnswerReleased(t *testing.T) {
	e := release.Answer(finding, advice, release.Request{}, release.Outcome{Complete: true, Left: []string{"the IPAM entry of host-device"}})
	const (
		msg     = "sandbox namespace not found: no such file or directory (" + finding + "); released without it"
		details = "The namespace was left alone. Left on the node: the IPAM entry of host-device. " + advice
	)
	if e.Code != 8 || e.Msg != msg || e.Details != details {
		t.Errorf("the answer is %+v, want code 8, %q, %q", e, msg, details)
	}
	if !completes(t, e) {
		t.Error("the removal is not completed, though all was released")
	}
}

func TestAnswerHeld(t *testing.T) {
	outcome := release.Outcome{
		Source: "/var/lib/cni/results/pods-a1-eth0",
		Plugins: []release.Plugin{
			{Type: "bridge", Result: release.Released, Note: "unsaid"},
			{Type: "portmap", Result: release.Failed, Note: "iptables: Not Found in $PATH"},
			{Type: "sbr", Result: release.Skipped},
			{Type: "bandwidth", Result: release.Planned},
		},
		Left:   []string{"open /x: no such file or directory"},
		Reason: "CONFLIST NOT FOUND",
	}
	e := release.Answer(finding, advice, release.Request{Network: "net", ContainerID: "c0ffee", IfName: "eth0", CacheDir: "/var/lib/cni", BinDirs: "/opt/cni/bin"}, outcome)
	const (
		msg     = "refused to touch a namespace that is not the pod's (" + finding + "); not released in full"
		details = "The namespace was left alone. Not released: CONFLIST missing. Plugin portmap failed: iptables: missing in $PATH. " +
			"Left on the node: open /x: file missing. containerd and cri-dockerd call DEL again, CRI-O and podman do not. To see what is still held: " +
			"guardctl release --container-id=c0ffee --ifname=eth0 --network=net --cache-dir=/var/lib/cni --bin-dir=/opt/cni/bin --dry-run. " + advice
	)
	if e.Code != 8 || e.Msg != msg || e.Details != details {
		t.Errorf("the answer is %+v, want code 8, %q, %q", e, msg, details)
	}
	if completes(t, e) {
		t.Error("the removal is completed, though not all was released: the pod's address is lost")
	}
}

// A plugin that keeps the address was not released: the answer says so, and
// completes the removal, as no later try would give the address back.
func TestAnswerKept(t *testing.T) {
	e := release.Answer(finding, advice, release.Request{}, release.Outcome{
		Complete:   true,
		Plugins:    []release.Plugin{{Type: "cni-kindnet", Result: release.Kept}},
		Left:       []string{"address 10.244.0.5"},
		Unrecorded: "read-only file system",
	})
	const (
		msg     = "sandbox namespace not found: no such file or directory (" + finding + "); its address was NOT given back, and trying again does not help"
		details = "The namespace was left alone. Left on the node: address 10.244.0.5. The release could not be recorded: read-only file system. " + advice
	)
	if e.Code != 8 || e.Msg != msg || e.Details != details {
		t.Errorf("the answer is %+v, want code 8, %q, %q", e, msg, details)
	}
	if !completes(t, e) {
		t.Error("the removal is to be tried again, though that never helps")
	}
}

// The command is one for a person: without what the plugin adds for itself.
func TestCommand(t *testing.T) {
	r := release.Request{ContainerID: "c1", IfName: "eth0", Network: "net", CacheDir: "/c", BinDirs: "/b", Netns: "/run/netns/a"}
	const want = "guardctl release --container-id=c1 --ifname=eth0 --network=net --cache-dir=/c --bin-dir=/b"
	if got := r.Command(); got != want+" --dry-run" {
		t.Errorf("the command is %q", got)
	}
	r.StateDir = "/run/other"
	if got := r.Command(); got != want+" --state-dir=/run/other --dry-run" {
		t.Errorf("the command is %q", got)
	}
	r.StateDir = "/run/$(reboot) x"
	if got := r.Command(); got != want+" '--state-dir=/run/$(reboot) x' --dry-run" {
		t.Errorf("the command is %q", got)
	}
}

// Nothing was released unless the outcome says so.
func TestAnswerToZeroOutcome(t *testing.T) {
	if e := release.Answer(finding, advice, release.Request{}, release.Outcome{}); completes(t, e) || e.Details != "The namespace was left alone. containerd and cri-dockerd call DEL again, CRI-O and podman do not. "+advice {
		t.Errorf("the answer is %+v", e)
	}
}

// The path of a sandbox, which is in the finding, may hold anything as well.
func TestAnswerHeldToHostilePath(t *testing.T) {
	for _, path := range []string{"/run/not found", "/NOT FOUND", "/No Such File Or Directory", "/nonot found t found", "/%s%d not found"} {
		e := release.Answer("host-netns: "+path+" is the node's", path, release.Request{Network: path}, release.Outcome{Reason: path})
		if completes(t, e) {
			t.Errorf("the answer is %+v", e)
		}
	}
}

func TestDefuse(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"all is well":                       "all is well",
		"not found":                         "missing",
		"plugin NOT FouND, not found":       "plugin missing, missing",
		"open x: No such file or directory": "open x: file missing",
		"nonot foundt found":                "nomissingt found",
		"İnot foundİ":                       "İmissingİ", // its lower case is longer
		"\xffnot found\xff":                 "\xffmissing\xff",
		"not  found, not-found, notfound":   "not  found, not-found, notfound",
	} {
		if got := release.Defuse(text); got != want {
			t.Errorf("Defuse(%q) = %q, want %q", text, got, want)
		}
	}
}

// No words of others complete a removal, whatever they are.
func FuzzDefuse(f *testing.F) {
	f.Add("plugin not found", "no such file or directory", "NOT FOUND")
	f.Add("not\xfffound", "no such file\u2028or directory", "not not found found")
	f.Add("no such file or no such file or directorydirectory", "ſuch", "not foun\x00d")
	f.Fuzz(func(t *testing.T, reason, note, sentence string) {
		e := release.Answer(sentence, note, release.Request{Network: note}, release.Outcome{
			Reason:  reason,
			Plugins: []release.Plugin{{Type: sentence, Result: release.Failed, Note: note}},
			Left:    []string{reason, note},
		})
		if completes(t, e) {
			t.Errorf("the answer completes the removal: %q", e)
		}
		if text := release.Defuse(note); release.Defuse(text) != text {
			t.Errorf("Defuse(%q) = %q, and then something else", note, text)
		}
	})
}
