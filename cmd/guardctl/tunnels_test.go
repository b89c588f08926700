// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// overlay makes this node and a far one, with a vxlan as flannel has it between
// them. The far node answers at 10.244.1.0, and through a second vxlan, over which no
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

// guardctl runs a command and returns what it printed, and its exit code.
func guardctl(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	var out bytes.Buffer
	code = run(&out, &out, args)
	return out.String(), code
}

func TestTunnelsProbe(t *testing.T) {
	overlay(t)
	dir := t.TempDir()
	out, code := guardctl(t, "tunnels", "--state-dir", dir)
	if code != 0 || !strings.Contains(out, "1 unprobed") {
		t.Errorf("exit code %d:\n%s\nwant a peer that nobody asked", code, out)
	}
	out, code = guardctl(t, "tunnels", "--probe", "--state-dir", dir)
	fields := strings.Fields(strings.SplitN(out, "\n", 3)[1])
	if want := []string{"flannel.1", "vxlan", "10.244.1.0/24", "192.0.2.2", "10.244.1.0", "answered"}; code != 0 || !slices.Equal(fields[:6], want) {
		t.Errorf("exit code %d:\n%s\nwant %v", code, out, want)
	}
	// Later it is still known.
	if out, code = guardctl(t, "tunnels", "--state-dir", dir); code != 0 || !strings.Contains(out, "1 answered") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	checktest.Shell(t, "ip -n far link set flannel.1 down")
	if out, code = guardctl(t, "tunnels", "warm", "--kinds", "vxlan", "--state-dir", dir); code != cli.ExitFindings || out != "1 silent\n" {
		t.Errorf("exit code %d:\n%s\nwant one that is silent", code, out)
	}
}

// The document has these keys, and no other.
func TestTunnelsJSON(t *testing.T) {
	overlay(t)
	checktest.Shell(t, "ip link add cilium_vxlan type vxlan external dstport 8473")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", "cilium_vxlan").Run() })
	out, code := guardctl(t, "tunnels", "--probe", "-o", "json", "--state-dir", t.TempDir(), "--peers", "203.0.113.9")
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

func TestTunnelsNone(t *testing.T) {
	checktest.PrivateNode(t)
	if out, code := guardctl(t, "tunnels", "--probe", "-o", "json", "--state-dir", t.TempDir()); code != 0 || strings.Join(strings.Fields(out), "") != `{"peers":[],"notEnumerable":[]}` {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	for _, args := range [][]string{
		{"tunnels", "--kinds", "vxlam"},
		{"tunnels", "--peers", "nobody"},
		{"tunnels", "--watch", "--every", "1ms"},
		{"tunnels", "warm", "--interval", "5m"},
		{"tunnels", "warm", "--interval", "1s"},
	} {
		if out, code := guardctl(t, args...); code != cli.ExitUsage {
			t.Errorf("%v: exit code %d:\n%s", args, code, out)
		}
	}
}

// A loop warms a peer whose route appears, lives through routes that flap and a
// device that goes, and ends on SIGTERM.
func TestTunnelsWarmLoop(t *testing.T) {
	overlay(t)
	dir := t.TempDir()
	cmd := root()
	var log bytes.Buffer
	cmd.SetErr(&log)
	cmd.SetArgs([]string{"tunnels", "warm", "--loop", "--kinds", "vxlan", "--state-dir", dir})
	ended := make(chan error)
	go func() { ended <- cmd.ExecuteContext(t.Context()) }()

	confirmed(t, dir, "10.244.1.0")
	checktest.Shell(t, `
for i in $(seq 200); do echo "route replace 10.250.$i.0/24 via 10.244.1.0 dev flannel.1 onlink"; done | ip -batch -
for i in $(seq 200); do echo "route delete 10.250.$i.0/24"; done | ip -batch -
ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.2 onlink
`)
	confirmed(t, dir, "10.244.2.0")
	checktest.Shell(t, "ip link delete flannel.1")
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	for line := range strings.Lines(log.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
	if !strings.Contains(log.String(), "ends as told") || strings.Contains(log.String(), "cannot") {
		t.Errorf("the log is\n%s", log.String())
	}
}

// Watching prints the table again when it has changed, and ends when it is told to.
func TestTunnelsWatch(t *testing.T) {
	overlay(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	tables := make(lines, 100)
	cmd := root()
	cmd.SetOut(tables)
	cmd.SetArgs([]string{"tunnels", "--watch", "--every", "1s", "--state-dir", t.TempDir()})
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

// lines gets what is written.
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
			t.Fatalf("nothing with %q is printed", want)
		}
	}
}

// confirmed waits until an address has answered.
func confirmed(t *testing.T, dir, addr string) {
	t.Helper()
	for {
		known, _ := tunnel.MemoryOf(dir).Load(time.Now())
		if !known.Peers[netip.MustParseAddr(addr)].Confirmed.IsZero() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
