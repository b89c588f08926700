// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// overlay makes this node and a far one, with a vxlan between them as flannel makes it. The far node answers at 10.244.1.0, and through a second vxlan, over which no
// route leads yet, at 10.244.2.0.
func overlay(t *testing.T) {
	t.Helper()
	checktest.Sandbox(t, "far")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", "wire").Run() })
	checktest.Shell(t, `
ip link add wire type veth peer name wire netns far
ip address add 192.0.2.1/24 dev wire
ip -n far address add 192.0.2.2/24 dev wire
ip link set wire up
ip -n far link set wire up
ip link add flannel.1 address 0a:58:00:00:00:01 type vxlan id 1 local 192.0.2.1 dev wire dstport 8472 nolearning
ip -n far link add flannel.1 address 0a:58:00:00:00:02 type vxlan id 1 local 192.0.2.2 dev wire dstport 8472 nolearning
ip address add 10.244.0.0/32 dev flannel.1
ip -n far address add 10.244.1.0/32 dev flannel.1
ip link set flannel.1 up
ip -n far link set flannel.1 up
ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
ip -n far route add 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink
ip neigh add 10.244.1.0 lladdr 0a:58:00:00:00:02 dev flannel.1
ip -n far neigh add 10.244.0.0 lladdr 0a:58:00:00:00:01 dev flannel.1
bridge fdb append 0a:58:00:00:00:02 dev flannel.1 dst 192.0.2.2
bridge -n far fdb append 0a:58:00:00:00:01 dev flannel.1 dst 192.0.2.1
ip link add flannel.2 address 0a:58:00:00:00:03 type vxlan id 2 local 192.0.2.1 dev wire dstport 8472 nolearning
ip -n far link add flannel.2 address 0a:58:00:00:00:04 type vxlan id 2 local 192.0.2.2 dev wire dstport 8472 nolearning
ip -n far address add 10.244.2.0/32 dev flannel.2
ip link set flannel.2 up
ip -n far link set flannel.2 up
ip neigh add 10.244.2.0 lladdr 0a:58:00:00:00:04 dev flannel.2
bridge fdb append 0a:58:00:00:00:04 dev flannel.2 dst 192.0.2.2
bridge -n far fdb append 0a:58:00:00:00:03 dev flannel.2 dst 192.0.2.1
`)
	for _, device := range []string{"flannel.1", "flannel.2"} {
		t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", device).Run() })
	}
}

// guardctl runs guardctl tunnels, and returns what it printed and the exit code. A peer
// that answers has all the time that it needs.
func guardctl(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	return guardctlWithin(t, time.Minute, args...)
}

func guardctlWithin(t *testing.T, wait time.Duration, args ...string) (output string, code int) {
	t.Helper()
	var out bytes.Buffer
	code = cli.Run(command(wait), &out, &out, args)
	return out.String(), code
}

func TestProbe(t *testing.T) {
	overlay(t)
	dir := t.TempDir()
	out, code := guardctl(t, "--state-dir", dir)
	if code != 0 || !strings.Contains(out, "1 unprobed") {
		t.Errorf("exit code %d:\n%s\nwant a peer that was not probed", code, out)
	}
	out, code = guardctl(t, "--probe", "--state-dir", dir)
	fields := strings.Fields(strings.SplitN(out, "\n", 3)[1])
	if want := []string{"flannel.1", "vxlan", "10.244.1.0/24", "192.0.2.2", "10.244.1.0", "answered"}; code != 0 || !slices.Equal(fields[:6], want) {
		t.Errorf("exit code %d:\n%s\nwant %v", code, out, want)
	}
	// The result is stored.
	if out, code = guardctl(t, "--state-dir", dir); code != 0 || !strings.Contains(out, "1 answered") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	checktest.Shell(t, "ip -n far link set flannel.1 down")
	if out, code = guardctlWithin(t, answerWait, "warm", "--kinds", "vxlan", "--state-dir", dir); code != cli.ExitFindings || out != "1 silent\n" {
		t.Errorf("exit code %d:\n%s\nwant a silent peer", code, out)
	}
}

// The document has these keys, and no other.
func TestJSON(t *testing.T) {
	overlay(t)
	checktest.Shell(t, "ip link add cilium_vxlan type vxlan external dstport 8473")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", "cilium_vxlan").Run() })
	out, code := guardctl(t, "--probe", "-o", "json", "--state-dir", t.TempDir(), "--peers", "203.0.113.9")
	var got struct {
		Peers         []map[string]any `json:"peers"`
		NotEnumerable []map[string]any `json:"notEnumerable"`
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil || code != cli.ExitFindings || len(got.Peers) != 2 || len(got.NotEnumerable) != 1 {
		t.Fatalf("exit code %d, error %v:\n%s", code, err, out)
	}
	for _, p := range got.Peers {
		keys := []string{"device", "kind", "block", "outer", "probed", "state", "rttMs", "lastConfirmed"}
		for _, key := range keys {
			if _, ok := p[key]; !ok || len(p) != len(keys) {
				t.Errorf("%v: want %v", p, keys)
			}
		}
	}
	if p := got.Peers[0]; p["state"] != "answered" || p["rttMs"].(float64) <= 0 || p["lastConfirmed"] == nil {
		t.Errorf("the peer is %v", p)
	}
	if p := got.Peers[1]; p["state"] != "unreachable" || p["rttMs"] != nil || p["lastConfirmed"] != nil {
		t.Errorf("the further address is %v", p)
	}
	if got.NotEnumerable[0]["device"] != "cilium_vxlan" {
		t.Errorf("not enumerable: %v", got.NotEnumerable)
	}
}

func TestNoTunnels(t *testing.T) {
	checktest.PrivateNode(t)
	if out, code := guardctl(t, "--probe", "-o", "json", "--state-dir", t.TempDir()); code != 0 || strings.Join(strings.Fields(out), "") != `{"peers":[],"notEnumerable":[]}` {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	for _, args := range [][]string{
		{"--kinds", "vxlam"},
		{"--peers", "nobody"},
		{"--watch", "--every", "1ms"},
		{"warm", "--interval", "5m"},
		{"warm", "--interval", "1s"},
	} {
		if out, code := guardctl(t, args...); code != cli.ExitUsage {
			t.Errorf("%v: exit code %d:\n%s", args, code, out)
		}
	}
}

// The loop warms a peer whose route appears, survives flapping routes and a device that
// disappears, and ends on SIGTERM.
func TestWarmLoop(t *testing.T) {
	overlay(t)
	dir := t.TempDir()
	cmd := command(time.Minute)
	var log bytes.Buffer
	cmd.SetErr(&log)
	cmd.SetArgs([]string{"warm", "--loop", "--kinds", "vxlan", "--state-dir", dir})
	ended := make(chan error)
	go func() { ended <- cmd.ExecuteContext(t.Context()) }()

	awaitAnswer(t, dir, "10.244.1.0")
	checktest.Shell(t, `
for i in $(seq 200); do echo "route replace 10.250.$i.0/24 via 10.244.1.0 dev flannel.1 onlink"; done | ip -batch -
for i in $(seq 200); do echo "route delete 10.250.$i.0/24"; done | ip -batch -
ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.2 onlink
`)
	awaitAnswer(t, dir, "10.244.2.0")
	checktest.Shell(t, "ip link delete flannel.1")
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	for line := range strings.Lines(log.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is not JSON: %s", line)
		}
	}
	if !strings.Contains(log.String(), "stopped by a signal") || strings.Contains(log.String(), "cannot") {
		t.Errorf("the log is\n%s", log.String())
	}
}

// --watch prints the table again when it has changed, until it is stopped.
func TestWatch(t *testing.T) {
	overlay(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	tables := make(lines, 100)
	cmd := command(time.Minute)
	cmd.SetOut(tables)
	cmd.SetArgs([]string{"--watch", "--every", "1s", "--state-dir", t.TempDir()})
	ended := make(chan error)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	tables.await(t, "1 unprobed")
	checktest.Shell(t, "ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.2 onlink")
	tables.await(t, "2 unprobed")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// lines is a writer that hands on what is written.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func (l lines) await(t *testing.T, want string) {
	t.Helper()
	for {
		select {
		case got := <-l:
			if strings.Contains(got, want) {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("%q is not printed", want)
		}
	}
}

// awaitAnswer waits until an address has answered.
func awaitAnswer(t *testing.T, dir, addr string) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		states, _ := tunnel.PeerStoreIn(dir).Load(time.Now())
		if !states.Peers[netip.MustParseAddr(addr)].LastAnswer.IsZero() {
			return
		}
	}
}

// A store that cannot be read is reported.
func TestStoreUnreadable(t *testing.T) {
	overlay(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "tunnels"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tunnels", "peers.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := guardctl(t, "--state-dir", dir); code != cli.ExitUnknown || !strings.Contains(out, "1 unprobed") || !strings.Contains(out, "read the state of peers") {
		t.Errorf("exit code %d:\n%s\nwant the table, and that the state is unknown", code, out)
	}
	if out, code := guardctl(t, "--probe", "--state-dir", dir); code != 0 || !strings.Contains(out, "1 answered") {
		t.Errorf("exit code %d:\n%s\nwant the result of probing now", code, out)
	}
}

func TestNotEnumerableOfKinds(t *testing.T) {
	checktest.PrivateNode(t)
	checktest.Shell(t, "ip link add cilium_vxlan type vxlan external dstport 8473")
	t.Cleanup(func() { checktest.Shell(t, "ip link delete cilium_vxlan") })
	for kind, want := range map[string]bool{"vxlan": true, "ipip,vxlan": true, "ipip": false} {
		out, code := guardctl(t, "--kinds", kind, "--state-dir", t.TempDir())
		if got := strings.Contains(out, "cilium_vxlan: its peers cannot be listed"); code != 0 || got != want {
			t.Errorf("--kinds %s: exit code %d:\n%s\nwant the device: %t", kind, code, out, want)
		}
	}
}

func TestPeersFlag(t *testing.T) {
	checktest.PrivateNode(t)
	for _, addr := range []string{"0.0.0.0", "::", "ff02::1", "224.0.0.1", "fe80::1%eth0", "10.244.1", ""} {
		if out, code := guardctl(t, "--peers="+addr+",10.244.1.0", "--state-dir", t.TempDir()); code != cli.ExitUsage || !strings.Contains(out, "--peers") {
			t.Errorf("%q: exit code %d:\n%s", addr, code, out)
		}
	}
	if out, code := guardctl(t, "--peers", "::ffff:192.0.2.7", "--state-dir", t.TempDir()); code != 0 || !strings.Contains(out, " 192.0.2.7 ") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestExitCodes(t *testing.T) {
	one := func(state tunnel.State, probed string) row { return row{State: state, Probed: probed} }
	for name, c := range map[string]struct {
		table      table
		code, warm int
	}{
		"nobody":      {table{probed: true}, 0, 0},
		"answered":    {table{probed: true, Peers: []row{one(tunnel.Answered, "10.244.1.0")}}, 0, 0},
		"no time":     {table{probed: true, Peers: []row{one(tunnel.Unprobed, "10.244.1.0")}}, cli.ExitUnknown, cli.ExitUnknown},
		"no address":  {table{probed: true, Peers: []row{one(tunnel.Unprobed, "")}}, 0, cli.ExitUnknown},
		"silent":      {table{probed: true, Peers: []row{one(tunnel.Unprobed, "10.244.1.0"), one(tunnel.Silent, "10.244.2.0")}}, cli.ExitFindings, cli.ExitFindings},
		"not allowed": {table{probed: true, errors: map[string]string{tunnel.OpProbe: "not permitted"}}, cli.ExitUnknown, cli.ExitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if code := codeOf(c.table.exit()); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if code := codeOf(c.table.exitWarm()); code != c.warm {
				t.Errorf("of warm: exit code %d, want %d", code, c.warm)
			}
		})
	}
	if code := codeOf(table{Peers: []row{one(tunnel.Unprobed, "10.244.1.0")}}.exit()); code != 0 {
		t.Errorf("without --probe the exit code is %d", code)
	}
}

func codeOf(err error) int {
	var exit *cli.ExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	return 0
}

// --watch goes on if the table cannot be read, but not the first time.
func TestWatchFailure(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	output := make(lines, 100)
	cmd := command(time.Minute)
	cmd.SetOut(output)
	cmd.SetErr(output)
	reads := 0
	read := func(context.Context) (table, error) {
		if reads++; reads == 2 {
			return table{}, errors.New("the dump was interrupted")
		}
		return table{Peers: make([]row, min(reads, 3))}, nil
	}
	ended := make(chan error)
	go func() { ended <- watch(ctx, cmd, read, time.Millisecond, &cli.Format{}) }()
	output.await(t, "1 unprobed")
	output.await(t, "warning: the dump was interrupted")
	output.await(t, "3 unprobed")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	denied := errors.New("not permitted")
	if err := watch(t.Context(), cmd, func(context.Context) (table, error) { return table{}, denied }, time.Second, &cli.Format{}); !errors.Is(err, denied) {
		t.Errorf("it ends with %v, want %v", err, denied)
	}
}

// The state of a node does not apply to the next node that has its block, and this
// node's own addresses are no peers.
func TestOtherNode(t *testing.T) {
	overlay(t)
	dir := t.TempDir()
	store := tunnel.PeerStoreIn(dir)
	states, _ := store.Load(time.Now())
	now, probed := time.Now(), netip.MustParseAddr("10.244.1.0")
	for outer, want := range map[string]string{"192.0.2.2": "1 answered", "192.0.2.3": "1 unprobed"} {
		states.Peers[probed] = tunnel.PeerState{Outer: netip.MustParseAddr(outer), LastProbe: now, LastAnswer: now, State: tunnel.Answered}
		if err := store.Save(states); err != nil {
			t.Fatal(err)
		}
		if out, code := guardctl(t, "--state-dir", dir, "--peers", "192.0.2.1"); code != 0 || !strings.Contains(out, want+"\n") {
			t.Errorf("with the state of %s: exit code %d:\n%s\nwant %s", outer, code, out, want)
		}
	}
}

// While the command waits, it says what for.
func TestProgress(t *testing.T) {
	progress := make(lines, 100)
	k := &tunnel.Keeper{
		Store: tunnel.PeerStoreIn(t.TempDir()), Log: slog.New(slog.DiscardHandler), Interval: time.Minute,
		Extra: []netip.Addr{netip.MustParseAddr("192.0.2.7")},
		Local: func(netip.Addr) bool { return false },
		Dump:  func() (netstate.TunnelDump, error) { return netstate.TunnelDump{}, nil },
		Open: func(bool) (netstate.ICMPConn, error) {
			progress.await(t, "waiting for: answers of peers (there are 1)")
			return nil, errors.New("no socket")
		},
	}
	got, err := readTable(t.Context(), k, true, progress)
	if err != nil || codeOf(got.exit()) != cli.ExitUnknown {
		t.Errorf("exit %v, error %v", got.exit(), err)
	}
}
