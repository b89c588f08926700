// SPDX-License-Identifier: Apache-2.0

package hostconf_test

import (
	"net"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

func veth() hostconf.Link {
	return hostconf.Link{Name: "veth1a2b", Kind: "veth", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
}

// Whether a section [Match] holds, for a link of each kind.
func TestMatch(t *testing.T) {
	links := map[string]hostconf.Link{
		"veth": veth(), "bridge": {Name: "cni0", Kind: "bridge"}, "vxlan": {Name: "flannel.1", Kind: "vxlan"},
		"vxlan without udev": {Name: "flannel.1", Kind: "vxlan", NoUdev: true},
		"ipip":               {Name: "tunl0", Kind: "ipip"}, "hardware": {Name: "eth0"}, "lo": {Name: "lo"},
	}
	for _, test := range []struct{ match, want string }{
		{"Name=*", "bridge,hardware,ipip,lo,veth,vxlan,vxlan without udev"},
		{"", ""},
		{"Name=", ""},
		{"Name=eth0\nName=", ""},
		{"Type=ether", "hardware,veth,vxlan without udev"},
		{"Type=!ether", "bridge,ipip,lo,vxlan"},
		{"Type=bridge", "bridge"},
		{"Kind=veth", "veth"},
		{"Kind=!veth bridge", "hardware,ipip,lo,vxlan,vxlan without udev"},
		{"Driver=veth", "veth"},
		{"Driver=!veth", "bridge,hardware,ipip,lo,vxlan,vxlan without udev"},
		{"Name=veth*", "veth"},
		{"Name=eth0 veth*", "hardware,veth"},
		{"Name=eth0\nName=veth*", "hardware,veth"},
		{"Name=v?th[!a]*", "veth"},
		{"Name=!veth* cni*", "hardware,ipip,lo,vxlan,vxlan without udev"},
		{"Name=*\nName=!veth*", "bridge,hardware,ipip,lo,vxlan,vxlan without udev"},
		{"Name=ve-*", ""},
		{"Name=[", ""},
		{"MACAddress=02:00:00:00:00:01 02:00:00:00:00:02", "veth"},
		{"PermanentMACAddress=02:00:00:00:00:01", ""},
		{"Path=pci-*", ""},
		{"Name=*\nType=ether\nKind=!veth", "hardware,vxlan without udev"},
		{"Name=eth0\nHost=worker*", "unclear hardware"},
		{"Nonsense\nName=eth0", "hardware"},
	} {
		root := tree(t, map[string]string{"etc/systemd/network/a.network": "[Match]\n" + test.match + "\n"})
		n, err := root.Networkd()
		if err != nil {
			t.Fatal(err)
		}
		var matched []string
		for _, name := range []string{"bridge", "hardware", "ipip", "lo", "veth", "vxlan", "vxlan without udev"} {
			found, err := n.For(links[name])
			switch {
			case err != nil:
				matched = append(matched, "unclear "+name)
			case found != nil:
				matched = append(matched, name)
			}
		}
		if got := strings.Join(matched, ","); got != test.want {
			t.Errorf("%q matches %s, want %s", test.match, got, test.want)
		}
	}
}

func TestNetworkOrder(t *testing.T) {
	const all = "[Match]\nName=*\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string // file that applies to a veth
		check func(*hostconf.Network) bool
	}{
		{"first name of all directories", map[string]string{"etc/systemd/network/50-b.network": all, "usr/lib/systemd/network/10-a.network": all}, "/usr/lib/systemd/network/10-a.network", nil},
		{"masked", map[string]string{"etc/systemd/network/10-a.network": "-> /dev/null", "usr/lib/systemd/network/10-a.network": all}, "", nil},
		{"emptied", map[string]string{"run/systemd/network/10-a.network": "", "usr/lib/systemd/network/10-a.network": all}, "", nil},
		{"a drop-in of any directory", map[string]string{
			"usr/lib/systemd/network/10-a.network": all, "etc/systemd/network/10-a.network.d/k.conf": "[Network]\nKeepMaster=yes\n", "run/systemd/network/10-a.network.d/a.conf": "[Network]\nKeepMaster=no\nBridge=br0"},
			"/usr/lib/systemd/network/10-a.network", func(n *hostconf.Network) bool {
				master, ok := n.Master()
				return n.KeepsMaster() && ok && master.Text == "br0" && master.String() == "/run/systemd/network/10-a.network.d/a.conf:3" && len(n.DropIns()) == 2
			}},
		{"a drop-in resets", map[string]string{"etc/systemd/network/a.network": all + "[Network]\nBridge=br0\n", "etc/systemd/network/a.network.d/x.conf": "[Network]\nBridge=\n"},
			"/etc/systemd/network/a.network", func(n *hostconf.Network) bool { _, ok := n.Master(); return !ok }},
		{"a drop-in matches less", map[string]string{"etc/systemd/network/a.network": all, "etc/systemd/network/a.network.d/x.conf": "[Match]\nName=!veth*\n"}, "", nil},
		{"a drop-in is masked", map[string]string{"etc/systemd/network/a.network": all, "usr/lib/systemd/network/a.network.d/x.conf": "[Match]\nName=!veth*\n", "etc/systemd/network/a.network.d/x.conf": "-> /dev/null"}, "/etc/systemd/network/a.network", nil},
		{"sections twice, continued lines, comments", map[string]string{"etc/systemd/network/a.network": "\ufeff[Match]\nName=x \\\n# not this\n  veth*\n[Network]\nDHCP=yes\n[Link]\n;Unmanaged=no\nUnmanaged=yes\nUnmanaged=perhaps\n[Network]\nKeepConfiguration=yes\nIgnoreCarrierLoss=5s\n"},
			"/etc/systemd/network/a.network", func(n *hostconf.Network) bool {
				return n.Unmanaged() && n.KeepConfiguration() == "yes" && n.IgnoresCarrierLoss() && n.HasDHCP() && n.Matching()[0].Line == 2
			}},
		{"defaults", map[string]string{"etc/systemd/network/a.network": all}, "/etc/systemd/network/a.network", func(n *hostconf.Network) bool {
			return !n.Unmanaged() && !n.KeepsMaster() && n.KeepConfiguration() == "" && !n.IgnoresCarrierLoss() && !n.HasDHCP()
		}},
		{"configured without carrier", map[string]string{"etc/systemd/network/a.network": all + "[Network]\nConfigureWithoutCarrier=yes\n"}, "/etc/systemd/network/a.network", (*hostconf.Network).IgnoresCarrierLoss},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, err := tree(t, test.files).Networkd()
			if err != nil {
				t.Fatal(err)
			}
			found, err := n.For(veth())
			got := ""
			if found != nil {
				got = found.Path
			}
			if got != test.want || err != nil {
				t.Fatalf("%q, %v applies, want %q", got, err, test.want)
			}
			if test.check != nil && !test.check(found) {
				t.Errorf("settings are %+v", found)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	for _, test := range []struct {
		name          string
		files         map[string]string
		routes, rules bool
		where         string // of the rules
	}{
		{"defaults", nil, true, true, ":0"},
		{"the first main file only", map[string]string{"etc/systemd/networkd.conf": "[Network]\nSpeedMeter=no\n", "usr/lib/systemd/networkd.conf": "[Network]\nManageForeignRoutes=no\n"}, true, true, ":0"},
		{"a drop-in of the vendor", map[string]string{"usr/lib/systemd/networkd.conf.d/80-release.conf": "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"}, false, false, "/usr/lib/systemd/networkd.conf.d/80-release.conf:3"},
		{"a later one undoes it", map[string]string{
			"usr/lib/systemd/networkd.conf.d/80-release.conf": "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n",
			"etc/systemd/networkd.conf.d/90-x.conf":           "[Network]\nManageForeignRoutingPolicyRules=yes\n"}, false, true, "/etc/systemd/networkd.conf.d/90-x.conf:2"},
	} {
		n, err := tree(t, test.files).Networkd()
		if err != nil {
			t.Fatal(err)
		}
		routes, _ := n.ManagesForeignRoutes()
		rules, where := n.ManagesForeignRules()
		if routes != test.routes || rules != test.rules || where.String() != test.where {
			t.Errorf("%s: routes %v, rules %v (%v)", test.name, routes, rules, where)
		}
	}
}

func TestNetworkdLink(t *testing.T) {
	root := tree(t, map[string]string{
		"run/systemd/netif/links/3": "# This is private data. Do not parse.\nADMIN_STATE=configured\nOPER_STATE=routable\nNETWORK_FILE=/etc/systemd/network/a.network\n",
		"run/systemd/netif/links/4": "ADMIN_STATE=unmanaged\n",
	})
	if s, err := root.NetworkdLink(3); err != nil || !s.Managed() || s.Network != "/etc/systemd/network/a.network" {
		t.Errorf("3: %+v, %v", s, err)
	}
	if s, err := root.NetworkdLink(4); err != nil || s.Managed() {
		t.Errorf("4: %+v, %v", s, err)
	}
	if s, err := root.NetworkdLink(5); !hostconf.IsAbsent(err) {
		t.Errorf("5: %+v, %v", s, err)
	}
}

func TestLinkFiles(t *testing.T) {
	root := tree(t, map[string]string{
		"usr/lib/systemd/network/99-default.link":             "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep\nMACAddressPolicy=persistent\n",
		"etc/systemd/network/10-eni.link":                     "[Match]\nOriginalName=eni*\n[Link]\nMACAddressPolicy=none\n",
		"usr/lib/systemd/network/73-usb-net-by-mac.link":      "[Match]\nPath=*-usb-*\n[Link]\nMACAddressPolicy=random\n",
		"etc/systemd/network/99-default.link.d/not-read.link": "",
	})
	files, err := root.LinkFiles()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"eni123": "none", "veth1": "persistent"} {
		f, err := hostconf.LinkFileFor(files, hostconf.Link{Name: name, Kind: "veth"})
		if err != nil || f == nil {
			t.Fatalf("%s: %v, %v", name, f, err)
		}
		if policy, _ := f.MACAddressPolicy(); policy.Text != want {
			t.Errorf("%s: policy %v, want %s", name, policy, want)
		}
	}
}

func TestSystemdVersion(t *testing.T) {
	for name, want := range map[string]int{"usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so": 252, "usr/lib64/systemd/libsystemd-shared-257.4-1.fc42.so": 257, "usr/lib/systemd/x": 0} {
		if got := tree(t, map[string]string{name: "x"}).SystemdVersion(); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func FuzzNetwork(f *testing.F) {
	f.Add("[Match]\nName=!veth* \\\n#\n eth0\nType=ether\n[Network]\nBridge=\nBridge=br0\n", "veth0")
	f.Add("[Match\n]=\n[]\n\\", "[")
	f.Fuzz(func(t *testing.T, text, name string) {
		root := tree(t, map[string]string{"etc/systemd/network/a.network": text + "\n"})
		n, err := root.Networkd()
		if err != nil {
			t.Fatal(err)
		}
		found, err := n.For(hostconf.Link{Name: name, Kind: "veth"})
		if err != nil || found == nil {
			return
		}
		if len(found.Matching()) == 0 {
			t.Errorf("%q matches %q without a condition", text, name)
		}
	})
}
