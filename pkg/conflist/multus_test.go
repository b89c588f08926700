// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// The guard belongs into the file that Multus hands pods on to.
func TestDelegate(t *testing.T) {
	const flannel, calico = "10-flannel.conflist", "20-calico.conflist"
	for name, c := range map[string]struct{ multus, want string }{
		"a delegate":          {`{"name":"m","type":"multus","delegates":[{"name":"calico"},{"name":"flannel"}]}`, calico},
		"a network":           {`{"name":"m","type":"multus","clusterNetwork":"calico"}`, calico},
		"a file":              {`{"name":"m","type":"multus-shim","clusterNetwork":"/host/etc/cni/net.d/20-calico.conflist"}`, calico},
		"nothing":             {`{"name":"m","type":"multus"}`, flannel},
		"a network of nobody": {`{"name":"m","type":"multus","clusterNetwork":"weave"}`, ""},
	} {
		dir := folder{
			"00-multus.conf": c.multus, "01-broken.conflist": "{", "02-multus.conf": single("m2", "multus"),
			flannel: of("flannel", "flannel"), calico: of("calico", "calico"),
		}.make(t)
		multus, err := conflist.Read(dir, "00-multus.conf")
		if err != nil || !multus.Multus() {
			t.Fatal(multus, err)
		}
		got, l, err := conflist.Delegate(dir, multus, containerd(1))
		if got != c.want || (err == nil) != (c.want != "") || l.Multus() {
			t.Errorf("%s: got %q %v, want %q", name, got, err, c.want)
		}
	}
}

// A copy is one of the same network and plugins; what differs is told.
func TestCopy(t *testing.T) {
	const own = `{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"bridge","mtu":1400,"bridge":"b"},{"type":"cni-guard"}]}`
	for name, c := range map[string]struct {
		file, doc string
		copy      bool
		differs   string
	}{
		"the same":         {"1.conflist", `{"plugins":[{"bridge":"b", "type":"bridge","mtu":1400}],"name":"a","cniVersion":"1.0.0"}`, true, ""},
		"a single":         {"1.conf", `{"name":"a","cniVersion":"1.0.0","type":"bridge","bridge":"b","mtu":1400}`, true, ""},
		"another setting":  {"1.conflist", `{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"bridge","mtu":1500,"bridge":"b"}]}`, true, "has other settings for bridge"},
		"another version":  {"1.conflist", `{"name":"a","cniVersion":"0.4.0","plugins":[{"type":"bridge","mtu":1400,"bridge":"b"}]}`, true, `has the cniVersion "1.0.0" instead of "0.4.0"`},
		"another network":  {"1.conflist", of("b", "bridge"), false, `has the network "a" instead of "b"`},
		"another plugin":   {"1.conflist", of("a", "ptp"), false, "calls bridge instead of ptp"},
		"one more of them": {"1.conflist", of("a", "bridge", "istio-cni"), false, "calls bridge instead of bridge, istio-cni"},
	} {
		dir := folder{"0.conflist": own, c.file: c.doc}.make(t)
		mine, err := conflist.Read(dir, "0.conflist")
		if err != nil {
			t.Fatal(err)
		}
		its, err := conflist.Read(dir, c.file)
		if err != nil {
			t.Fatal(err)
		}
		if mine.CopyOf(its) != c.copy || mine.Differs(its) != c.differs {
			t.Errorf("%s: %v, %q", name, mine.CopyOf(its), mine.Differs(its))
		}
	}
}
