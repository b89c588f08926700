// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
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

// expectChanges reads until the changes wanted have come, in their order, and returns all
// that came.
func expectChanges(t *testing.T, changes <-chan []netstate.Change, want ...string) (seen []string) {
	t.Helper()
	return readChanges(t, changes, func(line string) bool {
		if len(want) > 0 && line == want[0] {
			want = want[1:]
		}
		return len(want) == 0
	}, func() string { return fmt.Sprintf("%q", want) })
}

// expectAll reads until the changes wanted have come, in whatever order.
func expectAll(t *testing.T, changes <-chan []netstate.Change, want ...string) {
	t.Helper()
	readChanges(t, changes, func(line string) bool {
		want = slices.DeleteFunc(want, func(w string) bool { return w == line })
		return len(want) == 0
	}, func() string { return fmt.Sprintf("%q", want) })
}

// readChanges reads until done says so for a change, and returns all that came.
func readChanges(t *testing.T, changes <-chan []netstate.Change, done func(line string) bool, missing func() string) (seen []string) {
	t.Helper()
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
			t.Fatalf("the watch ended, or was silent, before %s; there were %q", missing(), seen)
		}
		ended := false
		for _, c := range batch {
			seen = append(seen, changeLine(c))
			ended = done(seen[len(seen)-1]) || ended
		}
		if ended {
			return seen
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
	// Those of all interfaces have a socket of their own, so that their order is not that of the others.
	expectAll(t, changes, "conf -1 ipv6 false forwarding 1", "conf -2 ipv6 false forwarding 1", "conf 2 ipv6 false forwarding 0")
	must(t, v.SetSysctl("net/ipv4/conf/lo/rp_filter", "1"))
	expectChanges(t, changes, "conf 1 ipv6 false forwarding -1")

	cancel()
	for range changes { // it ends
	}
}

// What each pod brings with it and says nothing does not wake the reader: messages of the
// bridge, the sysctls of a new interface, addresses of its link.
func TestWatchChangesSkips(t *testing.T) {
	v := view(t, sandbox(t, "skips"))
	changes, err := v.WatchChanges(t.Context())
	must(t, err)
	checktest.Shell(t, strings.ReplaceAll(`
ip link add br0 type bridge
ip link add v0 type veth peer name v1
ip link set v0 master br0 up
ip link set v1 up
ip -6 address add fe80::7/64 dev v1 nodad
ip address add 192.0.2.7/24 dev v1`, "ip ", "ip -n skips "))
	v1, err := v.Link("v1")
	must(t, err)
	for _, line := range expectChanges(t, changes, fmt.Sprintf("address of %d ipv6 false gone false", v1.Index)) {
		if strings.HasPrefix(line, "conf") || strings.Contains(line, "ipv6 true") {
			t.Errorf("reported: %s", line)
		}
	}
}

// Of a storm nothing is lost silently, although the pauses in which it is collected become
// longer, and what happens to lo in the midst of it is reported.
func TestWatchChangesStorm(t *testing.T) {
	v := view(t, sandbox(t, "storm"))
	changes, err := v.WatchChanges(t.Context())
	must(t, err)
	checktest.Shell(t, "ip -n storm link add br0 type bridge; ip -n storm link set br0 up")
	var batch strings.Builder
	for range 150 {
		batch.WriteString("link set br0 down\nlink set br0 up\n")
	}
	cmd := exec.Command("ip", "-n", "storm", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String() + "link set lo up\n" + batch.String() + "link set br0 down\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lo, downs := 0, 0
	readChanges(t, changes, func(line string) bool {
		switch {
		case strings.HasPrefix(line, "link lo") && strings.Contains(line, "up true"):
			lo++
		case strings.HasPrefix(line, "link br0") && strings.Contains(line, "up false"):
			downs++
		}
		return line == "lost" || lo > 0 && downs == 301
	}, func() string { return fmt.Sprintf("lo came up and br0 went down 301 times (%d, %d)", lo, downs) })
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
