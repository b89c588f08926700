// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A folder holds the cache, the configurations and the plugins of a test.
type folder string

// write makes a file with its folders.
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
	o := f.find(t).Release(ctx)
	if o.Complete || len(o.Plugins) != 2 {
		t.Fatalf("the outcome is %+v", o)
	}
	if hangs := o.Plugins[0]; hangs.Result != release.Failed || !strings.Contains(hangs.Note, "no answer in time") {
		t.Errorf("the plugin that hangs is %+v", hangs)
	}
	if quick := o.Plugins[1]; quick.Result != release.Released {
		t.Errorf("the plugin after it is %+v", quick)
	}
}

// A veth that is still there is named, another interface of that name is not.
func TestInterfaceThatStaysIsNamed(t *testing.T) {
	checktest.PrivateNode(t)
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "veth1"}, PeerName: "peer1"}
	if err := netlink.LinkAdd(veth); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(veth) })
	link, err := netlink.LinkByName("veth1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		iface string
		want  int
	}{
		{fmt.Sprintf(`{"name":"veth1","mac":%q}`, link.Attrs().HardwareAddr), 1},
		{`{"name":"veth1"}`, 1},
		{`{"name":"veth1","mac":"02:00:00:00:00:01"}`, 0},
		{`{"name":"lo"}`, 0},
		{`{"name":"nonesuch"}`, 0},
		{`{"name":"veth1","sandbox":"/run/netns/a"}`, 0},
		{`null`, 0},
	} {
		f := folder(t.TempDir())
		f.write(t, "net.d/10.conflist", `{"cniVersion":"1.1.0","name":"net","plugins":[{"type":"cni-guard"}]}`, 0o600)
		f.write(t, "cache/results/net-c1-eth0", `{"cniVersion":"1.1.0","interfaces":[`+tt.iface+`]}`, 0o600)
		if o := f.find(t).Release(t.Context()); len(o.Left) != tt.want || !o.Complete {
			t.Errorf("with interface %s complete is %t and left %q", tt.iface, o.Complete, o.Left)
		}
	}
}
