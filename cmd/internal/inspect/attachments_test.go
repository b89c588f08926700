// SPDX-License-Identifier: Apache-2.0

package inspect_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/cri"
	"github.com/cni-guard/cni-guard/cmd/internal/cri/critest"
	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

const guarded = `{"type":"bridge"},{"type":"cni-guard"}`

// A cluster is a node with a cache of attachments.
type cluster struct {
	*node
	site  site.Site
	state string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	n := newNode(t)
	n.list("10-a.conflist", "a", guarded)
	return &cluster{node: n, state: t.TempDir(), site: site.Site{Name: "containerd", Runtime: n.runtime, ConfDir: n.conf, CacheDir: t.TempDir()}}
}

// attach writes what libcni caches of a pod; "" without a pod name.
func (c *cluster) attach(network, id, pod, netns, plugins string) {
	c.Helper()
	args := ""
	if namespace, name, ok := strings.Cut(pod, "/"); ok {
		args = fmt.Sprintf(`"cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE",%q],["K8S_POD_NAME",%q]],`, namespace, name)
	}
	config := base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf(`{"cniVersion":"1.0.0","name":%q,"plugins":[%s]}`, network, plugins)))
	c.write(filepath.Join(c.site.CacheDir, "results", network+"-"+id+"-eth0"), fmt.Sprintf(
		`{"kind":"cniCacheV1","containerId":%q,"config":%q,"ifName":"eth0","networkName":%q,%s"netns":%q,"result":{"cniVersion":"1.0.0","interfaces":[{"name":"veth%s","mac":"0a:00:00:00:00:01"},{"name":"eth0","sandbox":%q}],"ips":[{"address":"10.1.0.5/24","interface":1}]}}`,
		id, config, network, args, netns, id, netns), 0o600)
}

func (c *cluster) look() string {
	c.Helper()
	problems, err := inspect.Attachments(c.Context(), c.site, c.assess(), c.state)
	if err != nil {
		c.Fatal(err)
	}
	return strings.ReplaceAll(c.shown(problems), c.site.CacheDir, "CACHE")
}

func TestOtherNetwork(t *testing.T) {
	checktest.PrivateNode(t)
	netns := checktest.Sandbox(t, "wrong")
	c := newCluster(t)
	c.attach("a", "c0", "shop/right", netns, guarded)
	c.attach("weave", "c1", "shop/web-0", netns, guarded)
	c.attach("weave", "c2", "", netns, guarded)
	const want = `pod-on-other-network: shop/web-0 is attached to network "weave", not to "a"; its attachment is in CACHE/results/weave-c1-eth0; it keeps that network, which may lead nowhere, until the pod is recreated
  run: kubectl delete pod -n shop web-0
pod-on-other-network: container c2 is attached to network "weave", not to "a"; its attachment is in CACHE/results/weave-c2-eth0; it keeps that network, which may lead nowhere, until the pod is recreated
  run: 
`
	if got := c.look(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	// podman's networks are its own, and so are those of runtime classes.
	c.list("87-podman-bridge.conflist", "podman", `{"type":"bridge"}`)
	c.attach("podman", "c3", "", netns, "")
	class := t.TempDir()
	c.site.ClassDirs = []string{class}
	c.write(filepath.Join(class, "10-kata.conflist"), `{"cniVersion":"1.0.0","name":"kata","plugins":[{"type":"ptp"}]}`, 0o600)
	c.attach("kata", "c4", "shop/kata", netns, "")
	// The runtime knows its pods.
	c.site.Socket = serve(t, critest.Runtime{Sandboxes: []cri.Sandbox{{ID: "c0"}, {ID: "c1"}, {ID: "c4"}}})
	if got := c.look(); strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, "pod-on-other-network: shop/web-0 ") {
		t.Errorf("got\n%s", got)
	}

	// Without an intended file this cannot be decided.
	c.list("20-b.conflist", "b", guarded)
	if got := c.look(); strings.Contains(got, "pod-on-other-network") && c.assess().Intended == "" {
		t.Errorf("got\n%s", got)
	}
}

// To recreate a pod is wrong advice while pods would get another network than the
// intended one, and where the intended network is not known.
func TestOtherNetworkUnsettled(t *testing.T) {
	checktest.PrivateNode(t)
	netns := checktest.Sandbox(t, "unsettled")
	c := newCluster(t)
	c.list("05-weave.conflist", "weave", `{"type":"ptp"}`)
	c.list("10-a.conflist", "a", guarded)
	c.attach("weave", "c1", "shop/web-0", netns, guarded)
	problems, err := inspect.Attachments(t.Context(), c.site, c.assess(), c.state)
	if err != nil || len(problems) != 1 || problems[0].Command != "" || !strings.Contains(problems[0].Remedy, `network "a" again first`) {
		t.Errorf("a rogue decides: got %+v, %v", problems, err)
	}

	for name, content := range map[string]string{
		"10-a.conflist":            "{",
		"100-crio-bridge.conflist": `{"cniVersion":"1.0.0","name":"crio","plugins":[{"type":"bridge"}]}`,
	} {
		c := newCluster(t)
		if err := os.Remove(filepath.Join(c.conf, "10-a.conflist")); err != nil {
			t.Fatal(err)
		}
		c.write(filepath.Join(c.conf, name), content, 0o600)
		c.attach("weave", "c1", "shop/web-0", netns, guarded)
		if got := c.look(); got != "" {
			t.Errorf("%s: got\n%s", name, got)
		}
	}
}

func TestOlderThanGuard(t *testing.T) {
	checktest.PrivateNode(t)
	netns := checktest.Sandbox(t, "older")
	c := newCluster(t)
	c.attach("a", "c0", "shop/new", netns, guarded)
	for i := range 12 {
		c.attach("a", fmt.Sprintf("d%d", i), fmt.Sprintf("shop/old-%02d", i), netns, `{"type":"bridge"}`)
	}
	if got := c.look(); got != "" {
		t.Errorf("containerd deletes by the list of the day: got\n%s", got)
	}
	c.runtime.Kind = conflist.CRIO
	c.runtime.BinDirs = nil
	const want = `minor pods-older-than-guard: 12 of the pods were attached before cni-guard was in the list: shop/old-00, shop/old-01, shop/old-02, shop/old-03, shop/old-04, shop/old-05, shop/old-06, shop/old-07, shop/old-08, shop/old-09 and 2 more; CRI-O deletes a pod by the list that it cached when the pod started; their DEL is not guarded
  run: 
`
	if got := c.look(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestOrphans(t *testing.T) {
	checktest.PrivateNode(t)
	netns := checktest.Sandbox(t, "lives")
	c := newCluster(t)
	data := t.TempDir()
	c.list("10-a.conflist", "a", fmt.Sprintf(`{"type":"bridge","ipam":{"type":"host-local","dataDir":%q}},{"type":"cni-guard"}`, data))
	c.attach("a", "c0", "shop/lives", netns, guarded)
	c.attach("a", "c1", "shop/gone", "/run/netns/none", guarded) // its veth is gone as well
	reserve := func(addr, id string, age time.Duration) {
		path := filepath.Join(data, "a", addr)
		c.write(path, id+"\r\neth0", 0o600)
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	const decades = 30 * 365 * 24 * time.Hour // before the machine was booted
	reserve("10.1.0.4", "c0", decades)
	reserve("10.1.0.5", "c1", decades)
	reserve("10.1.0.6", "c2", decades)
	checktest.Shell(t, "ip link add uplink8 type veth peer name eth0 netns lives; ip -n lives addr add 10.1.0.8/24 dev eth0")
	reserve("10.1.0.8", "c4", decades)     // the clock was set since, or another runtime has it: a pod has the address
	reserve("10.1.0.7", "c3", time.Minute) // by a sandbox that is being made, perhaps
	c.write(filepath.Join(data, "a", "last_reserved_ip.0"), "10.1.0.7", 0o600)
	c.write(filepath.Join(data, "a", "lock"), "", 0o600)
	want := `minor address-not-released: shop/gone is gone, and its attachment to network "a" was never released; it is in CACHE/results/a-c1-eth0; vethc1, the pod's host veth, is gone; its address stays allocated; when all are, no pod can start
  run: guardctl release --container-id c1 --ifname eth0 --network a --cache-dir CACHE
minor address-not-released: container c2 is gone, and its attachment to network "a" was never released; it is in DATA/a/10.1.0.6; 10.1.0.6 was reserved before the last boot, and no cache knows the container; its address stays allocated; when all are, no pod can start
  run: guardctl release --container-id c2 --ifname eth0 --network a --force
`
	if got := strings.ReplaceAll(c.look(), data, "DATA"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	// What the runtime knows it releases itself; what it does not know is left.
	reserve("10.1.0.7", "c3", time.Hour)
	c.site.Socket = serve(t, critest.Runtime{Sandboxes: []cri.Sandbox{{ID: "c0"}, {ID: "c1"}, {ID: "c2"}}})
	got := c.look()
	if !strings.Contains(got, "address-not-released: container c3 ") || !strings.Contains(got, "--container-id c3 --ifname eth0 --network a --force") || strings.Contains(got, "c1") || strings.Contains(got, "c2") || strings.Contains(got, "c4") {
		t.Errorf("got\n%s", got)
	}
}

// A cache that cannot be read is an error, and none is nothing.
func TestAttachmentsUnreadable(t *testing.T) {
	c := newCluster(t)
	c.write(filepath.Join(c.site.CacheDir, "results"), "", 0o600)
	if got, err := inspect.Attachments(t.Context(), c.site, c.assess(), c.state); err == nil {
		t.Errorf("got %+v", got)
	}
	c.site.CacheDir = t.TempDir()
	if got := c.look(); got != "" {
		t.Errorf("got\n%s", got)
	}
}
