// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// What cannot be read is not the same as nothing.
func TestTunnelsMemoryUnreadable(t *testing.T) {
	overlay(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "tunnels"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tunnels", "peers.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := guardctl(t, "tunnels", "--state-dir", dir); code != cli.ExitUnknown || !strings.Contains(out, "1 unprobed") || !strings.Contains(out, "read what is known of peers") {
		t.Errorf("exit code %d:\n%s\nwant the table, and that its state is not known", code, out)
	}
	if out, code := guardctl(t, "tunnels", "--probe", "--state-dir", dir); code != 0 || !strings.Contains(out, "1 answered") {
		t.Errorf("exit code %d:\n%s\nwant what was asked now", code, out)
	}
}

func TestTunnelsNotEnumerableOfKinds(t *testing.T) {
	checktest.PrivateNode(t)
	checktest.Shell(t, "ip link add cilium_vxlan type vxlan external dstport 8473")
	t.Cleanup(func() { checktest.Shell(t, "ip link delete cilium_vxlan") })
	for kind, want := range map[string]bool{"vxlan": true, "ipip,vxlan": true, "ipip": false} {
		out, code := guardctl(t, "tunnels", "--kinds", kind, "--state-dir", t.TempDir())
		if got := strings.Contains(out, "cilium_vxlan: its peers cannot be listed"); code != 0 || got != want {
			t.Errorf("--kinds %s: exit code %d:\n%s\nwant the device: %t", kind, code, out, want)
		}
	}
}

func TestTunnelsPeers(t *testing.T) {
	checktest.PrivateNode(t)
	for _, addr := range []string{"0.0.0.0", "::", "ff02::1", "224.0.0.1", "fe80::1%eth0", "10.244.1", ""} {
		if out, code := guardctl(t, "tunnels", "--peers="+addr+",10.244.1.0", "--state-dir", t.TempDir()); code != cli.ExitUsage || !strings.Contains(out, "--peers") {
			t.Errorf("%q: exit code %d:\n%s", addr, code, out)
		}
	}
	if out, code := guardctl(t, "tunnels", "--peers", "::ffff:192.0.2.7", "--state-dir", t.TempDir()); code != 0 || !strings.Contains(out, " 192.0.2.7 ") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestTunnelsVerdict(t *testing.T) {
	row := func(state tunnel.State, probed string) tunnelRow { return tunnelRow{State: state, Probed: probed} }
	for name, c := range map[string]struct {
		table        tunnelTable
		code, warmed int
	}{
		"nobody":      {tunnelTable{asked: true}, 0, 0},
		"answered":    {tunnelTable{asked: true, Peers: []tunnelRow{row(tunnel.Answered, "10.244.1.0")}}, 0, 0},
		"no time":     {tunnelTable{asked: true, Peers: []tunnelRow{row(tunnel.Unprobed, "10.244.1.0")}}, cli.ExitUnknown, cli.ExitUnknown},
		"no address":  {tunnelTable{asked: true, Peers: []tunnelRow{row(tunnel.Unprobed, "")}}, 0, cli.ExitUnknown},
		"silent":      {tunnelTable{asked: true, Peers: []tunnelRow{row(tunnel.Unprobed, "10.244.1.0"), row(tunnel.Silent, "10.244.2.0")}}, cli.ExitFindings, cli.ExitFindings},
		"not allowed": {tunnelTable{asked: true, trouble: map[string]string{"ask all peers": "not permitted"}}, cli.ExitUnknown, cli.ExitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if code := codeOf(c.table.verdict()); code != c.code {
				t.Errorf("the verdict is %d, want %d", code, c.code)
			}
			if code := codeOf(c.table.warmed()); code != c.warmed {
				t.Errorf("having warmed, the verdict is %d, want %d", code, c.warmed)
			}
		})
	}
	if code := codeOf(tunnelTable{Peers: []tunnelRow{row(tunnel.Unprobed, "10.244.1.0")}}.verdict()); code != 0 {
		t.Errorf("where nobody was to be asked the verdict is %d", code)
	}
}

func codeOf(err error) int {
	var exit *cli.ExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	return 0
}

// Watching outlives a look that fails, but not the first.
func TestTunnelsWatchFailure(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said := make(lines, 100)
	cmd := root()
	cmd.SetOut(said)
	cmd.SetErr(said)
	looks := 0
	look := func(context.Context) (tunnelTable, error) {
		if looks++; looks == 2 {
			return tunnelTable{}, errors.New("the dump was interrupted")
		}
		return tunnelTable{Peers: make([]tunnelRow, min(looks, 3))}, nil
	}
	ended := make(chan error)
	go func() { ended <- watchTunnels(ctx, cmd, look, time.Millisecond, &cli.Format{}) }()
	said.await(t, "1 unprobed")
	said.await(t, "warning: the dump was interrupted")
	said.await(t, "3 unprobed")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	trouble := errors.New("not permitted")
	if err := watchTunnels(t.Context(), cmd, func(context.Context) (tunnelTable, error) { return tunnelTable{}, trouble }, time.Second, &cli.Format{}); !errors.Is(err, trouble) {
		t.Errorf("it ends with %v, want %v", err, trouble)
	}
}

// What is known of a node is not true of the next one that has its block, and this
// node's own addresses are no peers.
func TestTunnelsOfOtherNodes(t *testing.T) {
	overlay(t)
	dir := t.TempDir()
	memory := tunnel.MemoryOf(dir)
	known, _ := memory.Load(time.Now())
	now, probed := time.Now(), netip.MustParseAddr("10.244.1.0")
	for outer, want := range map[string]string{"192.0.2.2": "1 answered", "192.0.2.3": "1 unprobed"} {
		known.Peers[probed] = tunnel.Record{Outer: netip.MustParseAddr(outer), Asked: now, Confirmed: now, State: tunnel.Answered}
		if err := memory.Save(known); err != nil {
			t.Fatal(err)
		}
		if out, code := guardctl(t, "tunnels", "--state-dir", dir, "--peers", "192.0.2.1"); code != 0 || !strings.Contains(out, want+"\n") {
			t.Errorf("with what is known of %s the exit code is %d:\n%s\nwant %s", outer, code, out, want)
		}
	}
}

// Who waits is told what for.
func TestTunnelsProgress(t *testing.T) {
	said := make(lines, 100)
	k := &tunnel.Keeper{
		Memory: tunnel.MemoryOf(t.TempDir()), Log: slog.New(slog.DiscardHandler), Interval: time.Minute,
		Extra: []netip.Addr{netip.MustParseAddr("192.0.2.7")},
		Local: func(netip.Addr) bool { return false },
		Dump:  func() (netstate.TunnelDump, error) { return netstate.TunnelDump{}, nil },
		Open: func(bool) (netstate.ICMPConn, error) {
			said.await(t, "waiting for: answers of peers (there are 1)")
			return nil, errors.New("no socket")
		},
	}
	found, err := lookAtTunnels(t.Context(), k, true, said)
	if err != nil || codeOf(found.verdict()) != cli.ExitUnknown {
		t.Errorf("the verdict is %v, error %v", found.verdict(), err)
	}
}
