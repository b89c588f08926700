// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// changeLine prints a change for comparison.
func changeLine(c netstate.Change) string {
	switch c.Kind {
	case netstate.ChangesLost:
		return "lost"
	case netstate.LinkChanged:
		return fmt.Sprintf("link %s kind %q up %t port %t gone %t", c.Link.Name, c.Link.Kind, c.Link.Up, c.Link.Master != 0, c.Gone)
	case netstate.AddrChanged:
		return fmt.Sprintf("address of %d ipv6 %t gone %t", c.Link.Index, c.IPv6, c.Gone)
	case netstate.RuleChanged:
		return fmt.Sprintf("rule ipv6 %t gone %t", c.IPv6, c.Gone)
	case netstate.ConfChanged:
		return fmt.Sprintf("conf %d ipv6 %t forwarding %d", c.Conf, c.IPv6, c.Forwarding)
	}
	return "ruleset"
}

// expectChanges reads until the changes wanted have come, in their order.
func expectChanges(t *testing.T, changes <-chan []netstate.Change, want ...string) {
	t.Helper()
	var seen []string
	late, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		var batch []netstate.Change
		var open bool
		select {
		case batch, open = <-changes:
		case <-late.Done():
		}
		if !open {
			t.Fatalf("the watch ended, or was silent, before %q; there were %q", want, seen)
		}
		for _, c := range batch {
			seen = append(seen, changeLine(c))
			if len(want) > 0 && seen[len(seen)-1] == want[0] {
				want = want[1:]
			}
		}
		if len(want) == 0 {
			return
		}
	}
}

func TestWatchChanges(t *testing.T) {
	v := view(t, sandbox(t, "changes"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes, err := v.WatchChanges(ctx)
	must(t, err)
	do := func(script string) { checktest.Shell(t, strings.ReplaceAll(script, "ip ", "ip -n changes ")) }

	do("ip link set lo up\nip link set lo down")
	expectChanges(t, changes, `link lo kind "" up true port false gone false`, "address of 1 ipv6 false gone false", `link lo kind "" up false port false gone false`)

	do("ip link add br0 type bridge\nip link add v0 type veth peer name v1\nip link set v0 master br0\nip link set v0 nomaster\nip link delete v0")
	expectChanges(t, changes, `link v0 kind "veth" up false port true gone false`, `link v0 kind "veth" up false port false gone false`, `link v0 kind "veth" up false port false gone true`)

	do("ip rule add from 192.0.2.1 lookup 7\nip -6 rule delete priority 32766")
	expectChanges(t, changes, "rule ipv6 false gone false", "rule ipv6 true gone true")

	must(t, v.SetSysctl("net/ipv4/ip_forward", "1"))
	must(t, v.SetSysctl("net/ipv4/ip_forward", "0"))
	expectChanges(t, changes, "conf -1 ipv6 false forwarding 1", "conf -2 ipv6 false forwarding 1", "conf 2 ipv6 false forwarding 0")
	must(t, v.SetSysctl("net/ipv4/conf/lo/rp_filter", "1"))
	expectChanges(t, changes, "conf 1 ipv6 false forwarding -1")

	cancel()
	for range changes { // it ends
	}
}

// Changes that are lost, in the kernel or as the channel is not read, are not passed over
// in silence; and what comes after that is reported.
func TestWatchChangesLost(t *testing.T) {
	for name, watch := range map[string]func(*netstate.Live, context.Context) (<-chan []netstate.Change, error){
		"kernel":  (*netstate.Live).WatchChangesNarrowly,
		"channel": (*netstate.Live).WatchChanges,
	} {
		t.Run(name, func(t *testing.T) {
			v := view(t, sandbox(t, "lost"))
			changes, err := watch(v, t.Context())
			must(t, err)
			lost := false
			for !lost { // a reader that is fast enough gets all of a flood
				flapAddresses(t, "lost", 2000)
				for len(changes) > 0 {
					for _, c := range <-changes {
						lost = lost || c.Kind == netstate.ChangesLost
					}
				}
				if name == "channel" {
					break // whether it fills depends on the machine
				}
			}
			seen := false
			for i := 0; !seen; i++ {
				name := fmt.Sprint("last", i)
				checktest.Shell(t, "ip -n lost link add "+name+" type bridge")
				for lost := false; !seen && !lost; {
					for _, c := range <-changes {
						seen, lost = seen || c.Link.Name == name, lost || c.Kind == netstate.ChangesLost
					}
				}
			}
		})
	}
}

// flapAddresses adds and deletes addresses.
func flapAddresses(t *testing.T, in string, changes int) {
	t.Helper()
	var batch strings.Builder
	for i := range changes / 2 {
		fmt.Fprintf(&batch, "address add 10.9.%d.%d/32 dev lo\naddress delete 10.9.%d.%d/32 dev lo\n", i/250%100, i%250, i/250%100, i%250)
	}
	cmd := exec.Command("ip", "-n", in, "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("flap: %v: %s", err, out)
	}
}

func TestWatchRuleset(t *testing.T) {
	needsProgram(t, "nft")
	v := view(t, sandbox(t, "rules"))
	changes, err := v.WatchRuleset(t.Context())
	must(t, err)
	checktest.Shell(t, "ip netns exec rules nft add table ip t")
	expectChanges(t, changes, "ruleset")
	checktest.Shell(t, "ip netns exec rules nft flush ruleset")
	expectChanges(t, changes, "ruleset")
}
