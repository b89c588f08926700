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
		got, l, err := conflist.DelegateFile(dir, multus, containerd(1))
		if got != c.want || (err == nil) != (c.want != "") || l.Multus() {
			t.Errorf("%s: got %q %v, want %q", name, got, err, c.want)
		}
	}
}

// What a copy differs in is what changes what pods get.
func TestDiffers(t *testing.T) {
	const own = `{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"bridge","mtu":1400,"bridge":"b"},{"type":"cni-guard"}]}`
	for name, c := range map[string]struct {
		file, doc string
		differs   string
	}{
		"the same":                          {"1.conflist", `{"plugins":[{"bridge":"b", "type":"bridge","mtu":1400}],"name":"a","cniVersion":"1.0.0"}`, ""},
		"a single":                          {"1.conf", `{"name":"a","cniVersion":"1.0.0","type":"bridge","bridge":"b","mtu":1400}`, ""},
		"another setting":                   {"1.conflist", `{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"bridge","mtu":1500,"bridge":"b"}]}`, "has other settings for bridge"},
		"another version":                   {"1.conflist", `{"name":"a","cniVersion":"0.4.0","plugins":[{"type":"bridge","mtu":1400,"bridge":"b"}]}`, `has the cniVersion "1.0.0" instead of "0.4.0"`},
		"a single of another version":       {"1.conf", `{"name":"a","cniVersion":"0.4.0","type":"bridge","bridge":"b","mtu":1400}`, `has the cniVersion "1.0.0" instead of "0.4.0"`},
		"a single without a version":        {"1.conf", `{"name":"a","type":"bridge","bridge":"b","mtu":1400}`, `has the cniVersion "1.0.0" instead of ""`},
		"a single of other settings":        {"1.conf", `{"name":"a","cniVersion":"1.0.0","type":"bridge","bridge":"b","mtu":1500}`, "has other settings for bridge"},
		"a single with an entry made of it": {"1.conf", `{"cniVersion":"1.0.0","type":"bridge","bridge":"b","mtu":1400,"name":"a"}`, ""},
		"another network":                   {"1.conflist", of("b", "bridge"), `has the network "a" instead of "b"`},
		"another plugin":                    {"1.conflist", of("a", "ptp"), "calls bridge instead of ptp"},
		"one more of them":                  {"1.conflist", of("a", "bridge", "istio-cni"), "calls bridge instead of bridge, istio-cni"},
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
		if got := mine.Difference(its); got != c.differs {
			t.Errorf("%s: %q, want %q", name, got, c.differs)
		}
	}
}
