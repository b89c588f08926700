// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

const everything = `link lo index 1 up
addr 127.0.0.1/8 dev lo
addr ::1/128 dev lo
link eth0 index 2 kind veth mac 0a:58:0a:f4:01:07
link flannel.1 index 9 kind vxlan up local 10.0.0.1 vni 1 port 8472
addr 10.244.1.0/32 dev flannel.1
link veth0.1 index 7 kind veth peer 2 up hairpin master 8
link cni0 index 8 kind bridge up
link cilium_vxlan index 10 kind vxlan master 3 external
link tun-0 index 11 kind ipip remote 10.0.0.2
route default via 10.244.1.1 dev eth0 proto 3
route 10.245.0.0/26 via 10.244.1.2 dev eth0 proto 80
route 10.246.0.0/16
route blackhole 10.247.0.0/26 proto 80
route throw 10.248.0.0/26 table 1
route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink multipath
route 10.244.3.0/24 dev tun-0 proto 17 table 77 dead encap
neigh 10.244.2.0 dev flannel.1 mac 0a:58:0a:f4:02:00
fdb 0a:58:0a:f4:02:00 dev flannel.1 dst 10.0.0.2
flow 4 src 10.0.0.1 dst 10.0.0.2
flow 4 src 10.0.0.1 dst 10.0.0.3 replied
bridge cni0 nf_call_iptables nf_call_ip6tables vlan_filtering
chain nft ip nat KUBE-SERVICES
chain legacy ip6 nat KUBE-SERVICES
rule 0 lookup 255
rule 512 to 10.0.1.7/32 lookup 254
rule 1536 from 10.0.1.7/32 lookup 2 selective
rule 2000 blackhole
rule6 none
sysctl net/ipv4/conf/eth0.100/forwarding = 1
sysctl net/ipv4/ip_forward = 0
counter netstat/IPReversePathFilter = 5 9
fail Routes = no buffer space
`

func parse(t testing.TB, text string) *netstate.Fake {
	t.Helper()
	f, err := netstate.Parse(text)
	must(t, err)
	return f
}

func TestFakePrintsWhatItParsed(t *testing.T) {
	if got := parse(t, everything).String(); got != everything {
		t.Errorf("the fake prints\n%s\nof\n%s", got, everything)
	}
	spaced := "\n# a comment\n\n  link   lo  up  index 1  \n\tsysctl a/b=c d \n"
	if got, want := parse(t, spaced).String(), "link lo index 1 up\nsysctl a/b = c d\n"; got != want {
		t.Errorf("the fake prints\n%s\nwant\n%s", got, want)
	}
	var zero netstate.Fake
	if zero.String() != "" {
		t.Errorf("the zero Fake prints %q", zero.String())
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"lnk lo":                          "want link, addr, route",
		"link":                            "want a name",
		"link lo\nlink lo":                "line 2",
		"link lo index":                   "index has no value",
		"link lo index one":               "invalid syntax",
		"link lo mac 0a":                  "invalid MAC",
		"link lo colour red":              "colour is no attribute of a link",
		"addr 127.0.0.1/8 dev lo":         "get link lo",
		"link lo\naddr 127.0.0.1 dev lo":  "127.0.0.1",
		"link lo\naddr 127.0.0.1/8 on lo": "want PREFIX dev NAME",
		"link lo\naddr 127.0.0.1/8":       "want PREFIX dev NAME",
		"route":                           "want a destination",
		"route 10.0.0.0":                  "10.0.0.0",
		"route default via 10":            "10",
		"route default proto boot":        "invalid syntax",
		"route default metric 1":          "metric is no attribute of a route",
		"link a local x":                  "unable to parse IP",
		"neigh 10.0.0.1 dev a":            "want IP dev NAME mac MAC",
		"neigh 10.0.0.1 dev a mac 0":      "get link a",
		"link a\nneigh 1 dev a mac 0":     "unable to parse IP",
		"link a\nneigh ::1 dev a mac 0":   "invalid MAC",
		"fdb 0a dev a":                    "want MAC dev NAME dst IP",
		"flow":                            "want a protocol",
		"flow 400 src ::1":                "out of range",
		"flow 4 from ::1":                 "from is no attribute of a flow",
		"sysctl net/ipv4/ip_forward":      "want KEY = VALUE",
		"sysctl = 1":                      "want KEY = VALUE",
		"fail Link":                       "want KEY = VALUE",
		"fail Lnik = trouble":             "Lnik is no method of View",
	} {
		if f, err := netstate.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, error %v, want one with %q", text, f, err, want)
		}
	}
}

func TestFakeAnswers(t *testing.T) {
	f := parse(t, strings.ReplaceAll(everything, "fail Routes", "# fail Routes"))
	link, err := f.Link("eth0")
	if err != nil || link.Index != 2 || link.Kind != "veth" || link.Up || link.MAC.String() != "0a:58:0a:f4:01:07" {
		t.Errorf("eth0 is %+v, error %v", link, err)
	}
	if addrs, err := f.Addrs("lo"); err != nil || !slices.Equal(addrs, prefixes("127.0.0.1/8", "::1/128")) {
		t.Errorf("addresses of lo are %v, error %v", addrs, err)
	}
	routes, err := f.Routes()
	if err != nil || len(routes) != 5 || routes[0].Dst.IsValid() || routes[1].Gateway != netip.MustParseAddr("10.244.1.2") || routes[1].Protocol != 80 || routes[2].Link != "" {
		t.Errorf("routes are %+v, error %v", routes, err)
	}
	if value, err := f.Sysctl("net/ipv4/conf/eth0.100/forwarding"); err != nil || value != "1" {
		t.Errorf("the sysctl is %q, error %v", value, err)
	}
	links, err := parse(t, "link b index 7\nlink lo index 1").Links()
	if err != nil || len(links) != 2 || links[0].Name != "lo" {
		t.Errorf("links are %+v, error %v, want them by index", links, err)
	}
}

func TestFakeChanges(t *testing.T) {
	f := parse(t, "link lo index 1\nlink eth0 index 2\nsysctl net/ipv6/conf/lo/disable_ipv6 = 0\n")
	must(t, f.SetUp("eth0"))
	must(t, f.SetUp("lo"))
	must(t, f.AddAddr("eth0", prefixes("10.0.0.1/8")[0]))
	must(t, f.AddAddr("eth0", prefixes("10.0.0.1/8")[0])) // is there
	must(t, f.SetSysctl("net/ipv6/conf/lo/disable_ipv6", "1"))
	want := `link lo index 1 up
addr 127.0.0.1/8 dev lo
addr ::1/128 dev lo
link eth0 index 2 up
addr 10.0.0.1/8 dev eth0
sysctl net/ipv6/conf/lo/disable_ipv6 = 1
`
	if got := f.String(); got != want {
		t.Errorf("the fake is\n%s\nwant\n%s", got, want)
	}
}

// methods calls each method of a View; those of a link or sysctl for that name.
func methods(v netstate.View, name string) map[string]error {
	_, link := v.Link(name)
	_, links := v.Links()
	_, addrs := v.Addrs(name)
	_, routes := v.Routes()
	_, sysctl := v.Sysctl(name)
	_, tunnels := v.TunnelDump()
	_, flows := v.Flows(4)
	_, byIndex := v.LinkByIndex(1)
	_, isPeer := v.IsPeerIn(1, nil)
	_, bridge := v.Bridge(name)
	_, nft := v.NFTChain(netstate.Chain{})
	_, legacy := v.LegacyChain(netstate.Chain{})
	return map[string]error{
		"Link": link, "Links": links, "Addrs": addrs, "Routes": routes, "Sysctl": sysctl,
		"TunnelDump": tunnels, "Flows": flows, "LinkByIndex": byIndex, "IsPeerIn": isPeer, "Bridge": bridge, "NFTChain": nft, "LegacyChain": legacy,
		"SetUp":              v.SetUp(name),
		"AddAddr":            v.AddAddr(name, netip.MustParsePrefix("10.0.0.1/8")),
		"SetSysctl":          v.SetSysctl(name, "1"),
		"AddPort":            v.AddPort(name, name, netstate.PortSettings{}),
		"SetBridgeNetfilter": v.SetBridgeNetfilter(name, false),
	}
}

func TestFakeFailsOnRequest(t *testing.T) {
	for method := range methods(&netstate.Fake{}, "") {
		f := parse(t, "link lo index 1 kind bridge\nsysctl lo = 0\nfail "+method+" = trouble\n")
		for called, err := range methods(f, "lo") {
			if called == method && (err == nil || err.Error() != "trouble") || called != method && err != nil {
				t.Errorf("fail %s: %s returns error %v", method, called, err)
			}
		}
	}
}

func TestFakeLacks(t *testing.T) {
	for method, err := range methods(&netstate.Fake{}, "eth9") {
		if lists := slices.Contains([]string{"Links", "Routes", "TunnelDump", "Flows", "NFTChain", "LegacyChain"}, method); lists && err != nil || !lists && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of an empty namespace returns error %v", method, err)
		}
	}
}

func TestUnreadable(t *testing.T) {
	trouble := errors.New("trouble")
	for method, err := range methods(netstate.Unreadable{Err: trouble}, "lo") {
		if !errors.Is(err, trouble) {
			t.Errorf("%s returns error %v", method, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add("link a kind up up\nroute ::/0 via fe80::1%eth0")
	f.Add("sysctl a b = c = d\nfail Link =")
	f.Add("link a kind vxlan index 3 external\nroute throw default\nfdb 0:0:0:0:0:0 dev a dst ::1\nneigh fe80::1%a dev a mac 0:0:0:0:0:0")
	f.Fuzz(func(t *testing.T, text string) {
		fake, err := netstate.Parse(text)
		if err != nil {
			return
		}
		once := fake.String()
		again, err := netstate.Parse(once)
		if err != nil {
			t.Fatalf("what the fake prints does not parse: %v\n%s", err, once)
		}
		if twice := again.String(); twice != once {
			t.Errorf("the fake prints\n%s\nand then\n%s", once, twice)
		}
	})
}
