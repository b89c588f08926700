// SPDX-License-Identifier: Apache-2.0

package inspect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// Behind Multus the network of a pod's main interface is in Multus's cache.
func TestOtherDelegate(t *testing.T) {
	checktest.PrivateNode(t)
	netns := checktest.Sandbox(t, "delegate")
	c := newCluster(t)
	multus := func(text string) {
		c.write(filepath.Join(c.conf, "00-multus.conf"), `{"cniVersion":"0.3.1","name":"multus-cni-network","type":"multus",`+text+`}`, 0o600)
	}
	multus(`"clusterNetwork":"a"`)
	runtimes := c.site.CacheDir
	c.attach("multus-cni-network", "c0", "shop/right", netns, `{"type":"multus"}`)
	c.site.CacheDir = filepath.Join(runtimes, "multus")
	c.attach("a", "c0", "shop/right", netns, guarded)
	c.attach("weave", "c1", "shop/web-0", netns, `{"type":"weave-net"}`)
	c.attach("weave", "c2", "shop/gone", "/run/netns/none", `{"type":"weave-net"}`)
	c.attach("asked-for", "c3", "shop/other", netns, `{"type":"ptp"}`)
	c.site.CacheDir = runtimes
	c.list("20-weave.conflist", "weave", `{"type":"weave-net"}`)
	const minor = `minor pod-on-other-network: shop/other was attached by Multus to network "asked-for", not to "a"; its attachment is in CACHE/multus/results/asked-for-c3-eth0; it keeps that network until the pod is recreated
  run: 
`
	const want = minor + `pod-on-other-network: shop/web-0 was attached by Multus to network "weave", not to "a"; its attachment is in CACHE/multus/results/weave-c1-eth0; it keeps that network, which may lead nowhere, until the pod is recreated
  run: kubectl delete pod -n shop web-0
`
	look := func() string {
		var kept []string
		for line := range strings.Lines(c.look()) {
			if strings.Contains(line, "on-other-network") || strings.HasPrefix(line, "  ") && !strings.Contains(line, "guardctl release") {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	if got := look(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	// That is as certain once the rogue is in quarantine.
	if _, err := quarantine.Put(c.conf, "20-weave.conflist", quarantine.Note{Why: "it is a rogue"}); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}

	// Multus's own copy of a network is right; an object of the cluster is unknown here.
	c.runtime.MaxConfNum = 1
	c.remove("10-a.conflist")
	multus(`"delegates":[{"name":"asked-for","type":"ptp"}]`)
	if got := look(); strings.Contains(got, "asked-for") || !strings.Contains(got, `shop/web-0 was attached by Multus to network "weave", whose file is a rogue or in quarantine`) {
		t.Errorf("got\n%s", got)
	}
	multus(`"clusterNetwork":"kube-system/primary"`)
	if got := look(); strings.Contains(got, "asked-for") || !strings.Contains(got, "shop/web-0") {
		t.Errorf("got\n%s", got)
	}
}

// What is attached beside the pod's network is known by Multus's cache and files.
func TestMultusNetworks(t *testing.T) {
	c := newCluster(t)
	c.write(filepath.Join(c.conf, "00-multus.conf"), `{"cniVersion":"0.3.1","name":"m","type":"multus"}`, 0o600)
	runtimes := c.site.CacheDir
	c.site.CacheDir = filepath.Join(runtimes, "multus")
	c.attach("storage", "c0", "shop/db", "/run/netns/none", `{"type":"macvlan"}`)
	c.site.CacheDir = runtimes
	all := inspect.MultusNetworks(c.site, c.assess().Selection)
	if len(all) != 1 || all[0].Network != "storage" || all[0].IfName != "eth0" {
		t.Errorf("got %+v", all)
	}
	c.remove("00-multus.conf")
	if all := inspect.MultusNetworks(c.site, c.assess().Selection); len(all) > 0 {
		t.Errorf("without Multus: %+v", all)
	}
}

func (c *cluster) remove(name string) {
	c.Helper()
	if err := os.Remove(filepath.Join(c.conf, name)); err != nil {
		c.Fatal(err)
	}
}
