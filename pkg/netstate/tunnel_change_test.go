// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// manyDevices adds more tunnels than the kernel is asked for one by one.
func manyDevices(t testing.TB, in string, devices int) {
	t.Helper()
	var batch strings.Builder
	for i := range devices {
		fmt.Fprintf(&batch, "link add tun-%d type vxlan id %d remote 192.168.7.%d dstport 4789 nolearning\n", i, 100+i, i%250+1)
		fmt.Fprintf(&batch, "link set tun-%d up addrgenmode none\n", i)
		fmt.Fprintf(&batch, "route add 10.244.%d.0/24 dev tun-%d\n", i, i)
	}
	cmd := exec.Command("ip", "-n", in, "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("add %d devices: %v: %s", devices, err, out)
	}
}

func TestLiveTunnelDumpOfManyDevices(t *testing.T) {
	v := view(t, sandbox(t, "devices"))
	manyDevices(t, "devices", 40)
	d, err := v.TunnelDump()
	must(t, err)
	routes := map[int]bool{}
	for _, r := range d.Routes {
		routes[r.Link] = true
	}
	for _, l := range d.Links {
		if l.Kind == "vxlan" && (!routes[l.Index] || !l.Remote.IsValid()) {
			t.Errorf("%s has remote %v, and a route over it: %t", l.Name, l.Remote, routes[l.Index])
		}
	}
	if len(routes) != 40 {
		t.Errorf("there are routes over %d devices, want 40", len(routes))
	}
}

// A namespace without IPv6 has tunnels all the same, and one with nothing none.
func TestLiveTunnelDumpWithoutIPv6(t *testing.T) {
	v := view(t, sandbox(t, "four"))
	d, err := v.TunnelDump()
	if err != nil || len(d.Routes) > 0 {
		t.Errorf("an empty namespace has %+v, error %v", d, err)
	}
	checktest.Shell(t, `
ip netns exec four sh -c "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"
ip -n four link add vx0 type vxlan id 1 dstport 8472
ip -n four link set vx0 up
ip -n four address add 10.244.1.0/32 dev vx0
ip -n four route add 10.244.2.0/24 via 10.244.2.0 dev vx0 onlink
`)
	if d, err = v.TunnelDump(); err != nil || len(d.Routes) != 1 {
		t.Errorf("the dump is %+v, error %v", d, err)
	}
}

// While devices come and go under the dump, it gives what stays, and no error.
func TestLiveTunnelDumpWhileDevicesGo(t *testing.T) {
	for _, devices := range []int{1, 20} {
		t.Run(fmt.Sprintf("devices=%d", devices), func(t *testing.T) {
			v := view(t, sandbox(t, "change"))
			manyDevices(t, "change", devices)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- comeAndGo(ctx, "change") }()
			defer func() {
				cancel()
				must(t, <-done)
			}()
			for range 50 {
				d, err := v.TunnelDump()
				must(t, err)
				stay := map[string]netstate.TunnelLink{}
				for _, l := range d.Links {
					stay[l.Name] = l
				}
				if stay["tun-0"].Index == 0 || len(d.Routes) < devices {
					t.Fatalf("the dump lacks what was there all the time: %+v", d)
				}
			}
		})
	}
}

// comeAndGo adds and deletes devices with routes until ctx ends.
func comeAndGo(ctx context.Context, in string) error {
	const batch = `link add gone type vxlan id 1 dstport 8472
link set gone up
address add 10.9.0.1/24 dev gone
route add 10.245.0.0/24 via 10.9.0.2 dev gone
link delete gone
`
	for ctx.Err() == nil {
		cmd := exec.Command("ip", "-n", in, "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Repeat(batch, 20))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

// A kernel without IPv6 answers with IPv4 to who asks for IPv6.
func TestTunnelRoutesOfTheFamilyAskedFor(t *testing.T) {
	route := []byte{unix.AF_INET, 24, 0, 0, 254, 12, 0, unix.RTN_UNICAST, 0, 0, 0, 0, 8, 0, 1, 0, 10, 244, 2, 0, 8, 0, 4, 0, 7, 0, 0, 0}
	if four, six := netstate.RoutesIn(route, unix.AF_INET), netstate.RoutesIn(route, unix.AF_INET6); four != 1 || six != 0 {
		t.Errorf("an IPv4 route is %d of IPv4 and %d of IPv6", four, six)
	}
}

// Bytes of the kernel are cut short by nobody, and yet nothing may panic.
func FuzzMessages(f *testing.F) {
	f.Add([]byte{2, 24, 0, 0, 254, 12, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 244, 2, 0, 8, 0, 9, 0, 4, 0, 0, 0})
	f.Add([]byte{2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 2, 128, 4, 0, 1, 0, 8, 0, 3, 0, 0, 0, 0, 2, 20, 0, 1, 128, 16, 0, 1, 128, 8, 0, 1, 0, 10, 0, 0, 1})
	f.Fuzz(func(_ *testing.T, b []byte) { netstate.ParseMessages(b) })
}

// A device that is deleted between two questions is left out.
func TestLiveTunnelRoutesOfADeviceThatIsGone(t *testing.T) {
	v := view(t, sandbox(t, "gone"))
	checktest.Shell(t, `
ip -n gone link add vx0 index 7 type vxlan id 1 dstport 8472
ip -n gone link set vx0 up
ip -n gone route add 10.244.2.0/24 dev vx0
`)
	routes, err := v.TunnelRoutes(4711, 7)
	if err != nil || len(routes) != 1 || routes[0].Link != 7 {
		t.Errorf("the routes of vx0 are %+v, error %v", routes, err)
	}
}
