// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A directory holds the cache, the configurations and the plugins of a test.
type folder string

// write makes a file with its directories.
func (f folder) write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(string(f), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// plugin installs a shell script as plugin.
func (f folder) plugin(t *testing.T, name, script string) {
	t.Helper()
	f.write(t, "bin/"+name, "#!/bin/sh\ncat >/dev/null\n"+script, 0o755)
}

// find finds the chain of container c1 in the network net.
func (f folder) find(t *testing.T) *chain.Chain {
	t.Helper()
	c, err := chain.Find(chain.Attachment{
		ContainerID: "c1", IfName: "eth0", Network: "net",
		CacheDir: filepath.Join(string(f), "cache"),
		ConfDirs: []string{filepath.Join(string(f), "net.d")},
		BinDirs:  []string{filepath.Join(string(f), "bin")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHangingPluginLeavesTimeForOthers(t *testing.T) {
	f := folder(t.TempDir())
	f.write(t, "net.d/10.conflist", `{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"quick"},{"type":"hangs"}]}`, 0o600)
	f.plugin(t, "quick", "")
	// The child outlives its parent and holds the output open until the test is over.
	f.plugin(t, "hangs", fmt.Sprintf("(while [ -e %q ]; do sleep 0.1; done) & wait\n", f))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	o := f.find(t).Release(ctx, nil)
	if o.Complete || len(o.Plugins) != 2 {
		t.Fatalf("the outcome is %+v", o)
	}
	if hangs := o.Plugins[0]; hangs.Result != release.Failed || !strings.Contains(hangs.Note, "did not answer in time") {
		t.Errorf("the plugin that hangs is %+v", hangs)
	}
	if quick := o.Plugins[1]; quick.Result != release.Released {
		t.Errorf("the plugin after it is %+v", quick)
	}
}

// None of what a plugin started outlives it, or the release.
func TestHangingPluginIsKilledWithItsChildren(t *testing.T) {
	f := folder(t.TempDir())
	f.write(t, "net.d/10.conflist", `{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"hangs"}]}`, 0o600)
	f.plugin(t, "hangs", fmt.Sprintf("exec 9>%q; flock 9; sleep 1000 & wait\n", filepath.Join(string(f), "lock")))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if o := f.find(t).Release(ctx, nil); o.Complete {
		t.Fatalf("the outcome is %+v", o)
	}
	// The lock is free when the last process that inherited it has ended.
	if out, err := exec.Command("flock", "--timeout", "60", filepath.Join(string(f), "lock"), "true").CombinedOutput(); err != nil {
		t.Errorf("a child of the plugin lives: %v: %s", err, out)
	}
}

// A plugin's own error is passed on unchanged, and how it ended where it printed none.
func TestPluginErrors(t *testing.T) {
	for script, want := range map[string]string{
		`echo '{"code":7,"msg":"no such thing"}'; exit 1`: "no such thing",
		`echo reason >&2; exit 3`:                         `exit status 3: "reason"`,
		`kill -9 $$`:                                      "killed",
	} {
		f := folder(t.TempDir())
		f.write(t, "net.d/10.conflist", `{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"fails"}]}`, 0o600)
		f.plugin(t, "fails", script+"\n")
		o := f.find(t).Release(t.Context(), nil)
		if o.Complete || len(o.Plugins) != 1 || !strings.Contains(o.Plugins[0].Note, want) {
			t.Errorf("%s: the outcome is %+v, want %q", script, o, want)
		}
	}
}

// A refusing log keeps the plugins that clean up by address from being called,
// and no other.
type refusing struct{ asked, ended []string }

func (r *refusing) Begin(plugin string) string {
	r.asked = append(r.asked, plugin)
	return "10.1.0.5 now belongs to container c2"
}

func (r *refusing) End(plugin string, _ error) { r.ended = append(r.ended, plugin) }

func TestReleaseAsksTheLog(t *testing.T) {
	f := folder(t.TempDir())
	f.write(t, "cache/results/net-c1-eth0", entry(
		`{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"bridge"},{"type":"portmap"},{"type":"firewall"}]}`,
		`{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.5/24"}]}`), 0o600)
	for _, plugin := range []string{"bridge", "portmap", "firewall"} {
		f.plugin(t, plugin, fmt.Sprintf("echo %s >>%q\n", plugin, filepath.Join(string(f), "log")))
	}
	log := &refusing{}
	plan := f.find(t).Plan(log)
	o := f.find(t).Release(t.Context(), log)
	if called, err := os.ReadFile(filepath.Join(string(f), "log")); err != nil || string(called) != "bridge\n" {
		t.Errorf("called: %q, %v", called, err)
	}
	if got, want := fmt.Sprint(log.asked, log.ended), "[firewall portmap firewall portmap] []"; got != want {
		t.Errorf("the log was asked %s, want %s", got, want)
	}
	for _, got := range []release.Outcome{plan, o} {
		if p := got.Plugins[0]; p.Type != "firewall" || p.Result != release.NotCalled || !strings.Contains(p.Note, "container c2") {
			t.Errorf("the plugin is %+v", p)
		}
	}
	// Without host ports portmap made no rules that could be left.
	if !o.Complete || len(o.Left) != 1 || !strings.Contains(o.Left[0], "rules of plugin firewall for 10.1.0.5") {
		t.Errorf("complete is %t, left %q", o.Complete, o.Left)
	}
}

// A plugin that keeps the address in a database of its own was not released,
// though its DEL says so.
func TestKeeper(t *testing.T) {
	f := folder(t.TempDir())
	f.write(t, "cache/results/net-c1-eth0", entry(
		`{"cniVersion":"0.4.0","name":"net","plugins":[{"type":"cni-kindnet"}]}`,
		`{"cniVersion":"0.4.0","interfaces":[{"name":"eth0"}],"ips":[{"version":"4","interface":0,"address":"10.244.0.5/32"}]}`), 0o600)
	f.plugin(t, "cni-kindnet", "")
	o := f.find(t).Release(t.Context(), nil)
	if !o.Complete || !o.KeepsAddress() || len(o.Left) != 1 || !strings.Contains(o.Left[0], "10.244.0.5 in /var/lib/cni-kindnet/cni.db") {
		t.Errorf("the outcome is %+v", o)
	}
}

// A veth whose peer is in a living namespace is named if it has the MAC that ADD
// gave. No other interface is: a name alone may be that of the node's uplink.
func TestInterfaceThatStaysIsNamed(t *testing.T) {
	pod, err := netns.GetFromPath(checktest.Sandbox(t, "pod"))
	if err != nil {
		t.Fatal(err)
	}
	defer pod.Close()
	for _, v := range []*netlink.Veth{
		{LinkAttrs: netlink.LinkAttrs{Name: "veth1"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(pod)},
		{LinkAttrs: netlink.LinkAttrs{Name: "here1"}, PeerName: "here2"},
	} {
		if err := netlink.LinkAdd(v); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = netlink.LinkDel(v) })
	}
	mac := func(name string) string {
		link, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		return link.Attrs().HardwareAddr.String()
	}
	for _, tt := range []struct {
		iface string
		want  int
	}{
		{fmt.Sprintf(`{"name":"veth1","mac":%q}`, mac("veth1")), 1},
		{`{"name":"veth1"}`, 0},
		{`{"name":"veth1","mac":"02:00:00:00:00:01"}`, 0},
		{fmt.Sprintf(`{"name":"here1","mac":%q}`, mac("here1")), 0},
		{`{"name":"lo"}`, 0},
		{`{"name":"nonesuch"}`, 0},
		{fmt.Sprintf(`{"name":"veth1","mac":%q,"sandbox":"/run/netns/a"}`, mac("veth1")), 0},
		{`null`, 0},
	} {
		f := folder(t.TempDir())
		f.write(t, "net.d/10.conflist", `{"cniVersion":"1.1.0","name":"net","plugins":[{"type":"cni-guard"}]}`, 0o600)
		f.write(t, "cache/results/net-c1-eth0", `{"cniVersion":"1.1.0","interfaces":[`+tt.iface+`]}`, 0o600)
		if o := f.find(t).Release(t.Context(), nil); len(o.Left) != tt.want || !o.Complete {
			t.Errorf("with interface %s complete is %t and left %q", tt.iface, o.Complete, o.Left)
		}
	}
}
