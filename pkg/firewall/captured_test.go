// SPDX-License-Identifier: Apache-2.0

package firewall_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// TestCapture writes the rules of the namespace to the file FIREWALL_CAPTURE: so the files
// of testdata were made, beside the daemons that set the rules.
func TestCapture(t *testing.T) {
	path := os.Getenv("FIREWALL_CAPTURE")
	if path == "" {
		return
	}
	view, err := netstate.OpenNode()
	must(t, err)
	defer view.Close()
	source, err := view.Ruleset(nil)
	must(t, err)
	stored, err := json.Marshal(source)
	must(t, err)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err = w.Write(stored)
	must(t, err)
	must(t, w.Close())
	must(t, os.WriteFile(path, b.Bytes(), 0o644))
}

func captured(t *testing.T, name string) *firewall.Rules {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json.gz"))
	must(t, err)
	r, err := gzip.NewReader(bytes.NewReader(b))
	must(t, err)
	stored, err := io.ReadAll(r)
	must(t, err)
	var source netstate.Ruleset
	must(t, json.Unmarshal(stored, &source))
	return firewall.Decode(&source)
}

// overlay are the packets of a node with flannel's VXLAN: 192.0.2.1 on node0, cni0 with
// 10.244.0.0/24, and the cluster's 10.244.0.0/16.
func overlay() map[string]firewall.Packet {
	prefix := netip.MustParsePrefix
	uplink, bridge, tunnel := firewall.Interface{Name: "node0"}, firewall.Interface{Name: "cni0"}, firewall.Interface{Name: "flannel.1"}
	return map[string]firewall.Packet{
		"in":    {Hook: firewall.Input, In: uplink, Src: prefix("192.0.2.2/32"), Dst: prefix("192.0.2.1/32"), Protocol: 17, DstPort: 8472},
		"out":   {Hook: firewall.Output, Out: uplink, Src: prefix("192.0.2.1/32"), Dst: prefix("192.0.2.2/32"), Protocol: 17, DstPort: 8472},
		"there": {Hook: firewall.Forward, In: bridge, Out: tunnel, Src: prefix("10.244.0.0/24"), Dst: prefix("10.244.1.0/24"), Protocol: 6},
		"back":  {Hook: firewall.Forward, In: tunnel, Out: bridge, Src: prefix("10.244.1.0/24"), Dst: prefix("10.244.0.0/24"), Protocol: 6},
	}
}

// Rules of the real ufw 0.36.2 and firewalld 1.3.3, as they are by default, and after the
// commands that findings give.
func TestCapturedFirewalls(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"ufw-default": {
			"in": "dropped by the policy of INPUT, ufw", "out": "accepted",
			"there": "dropped by the policy of FORWARD, ufw", "back": "dropped by the policy of FORWARD, ufw",
		},
		"ufw-allowed": {"in": "accepted", "out": "accepted", "there": "accepted", "back": "accepted"},
		"firewalld-default": {
			"in": "rejected by filter_IN_public, firewalld", "out": "accepted",
			"there": "rejected by filter_FWD_public, firewalld", "back": "rejected by filter_FWD_public, firewalld",
		},
		"firewalld-allowed": {"in": "accepted", "out": "accepted", "there": "accepted", "back": "accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			rules := captured(t, name)
			for packet, want := range want {
				v := rules.Judge(overlay()[packet])
				if got := describe(v); got != want {
					t.Errorf("%s is %s (%v), want %s", packet, got, v.Rule, want)
				}
			}
		})
	}
}

func describe(v firewall.Verdict) string {
	if v.Result != firewall.Dropped {
		return strings.TrimSpace(v.Result.String() + " " + v.Reason)
	}
	verb, by := "dropped", v.Rule.Chain
	if v.Rule.Rejects {
		verb = "rejected"
	}
	if v.Rule.Number == 0 {
		by = "the policy of " + by
	}
	return verb + " by " + by + ", " + v.Rule.Owner
}
