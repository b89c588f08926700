// SPDX-License-Identifier: Apache-2.0

package hostconf_test

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

func TestNetworkManagerIgnores(t *testing.T) {
	cali := hostconf.Link{Name: "cali123", Kind: "veth"}
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string // where it is said; ":0" nowhere
	}{
		{"nothing", nil, ":0"},
		{"by name", map[string]string{"etc/NetworkManager/conf.d/c.conf": "[keyfile]\nunmanaged-devices=interface-name:cali*;interface-name:tunl*\n"}, "/etc/NetworkManager/conf.d/c.conf:2"},
		{"a later file replaces", map[string]string{
			"etc/NetworkManager/conf.d/c.conf": "[keyfile]\nunmanaged-devices=interface-name:cali*\n", "etc/NetworkManager/conf.d/d.conf": "[keyfile]\nunmanaged-devices=interface-name:wg*\n"}, ":0"},
		{"a later file adds", map[string]string{
			"etc/NetworkManager/conf.d/c.conf": "[keyfile]\nunmanaged-devices=interface-name:cali*\n", "etc/NetworkManager/conf.d/d.conf": "[keyfile]\nunmanaged-devices+=interface-name:wg*\n"}, "/etc/NetworkManager/conf.d/d.conf:2"},
		{"the main file is after /usr/lib", map[string]string{
			"usr/lib/NetworkManager/conf.d/zz.conf": "[keyfile]\nunmanaged-devices=interface-name:cali*\n", "etc/NetworkManager/NetworkManager.conf": "[keyfile]\nunmanaged-devices=none\n"}, ":0"},
		{"and before /etc", map[string]string{
			"etc/NetworkManager/conf.d/a.conf": "[keyfile]\nunmanaged-devices=*\n", "etc/NetworkManager/NetworkManager.conf": "[keyfile]\nunmanaged-devices=none\n"}, "/etc/NetworkManager/conf.d/a.conf:2"},
		{"/etc hides /usr/lib", map[string]string{
			"usr/lib/NetworkManager/conf.d/c.conf": "[keyfile]\nunmanaged-devices=*\n", "etc/NetworkManager/conf.d/c.conf": ""}, ":0"},
		{"except", map[string]string{"etc/NetworkManager/conf.d/c.conf": "[keyfile]\nunmanaged-devices=*,except:type:veth\n"}, ":0"},
		{"except only", map[string]string{"etc/NetworkManager/conf.d/c.conf": "[keyfile]\nunmanaged-devices=except:interface-name:eth0\n"}, "/etc/NetworkManager/conf.d/c.conf:2"},
		{"by type", map[string]string{"etc/NetworkManager/conf.d/c.conf": "[keyfile]\nunmanaged-devices=type:veth\n"}, "/etc/NetworkManager/conf.d/c.conf:2"},
		{"a device section", map[string]string{"etc/NetworkManager/conf.d/c.conf": "[device-cni]\nmatch-device=driver:veth\nmanaged=0\n"}, "/etc/NetworkManager/conf.d/c.conf:3"},
	} {
		n, err := tree(t, test.files).NetworkManager()
		if err != nil {
			t.Fatal(err)
		}
		ignored, where := n.Ignores(cali)
		if where.String() != test.want || ignored != (test.want != ":0") {
			t.Errorf("%s: ignored %v at %v, want %s", test.name, ignored, where, test.want)
		}
	}
}

// The files are those that NetworkManager 1.42 wrote.
func TestNetworkManagerDevice(t *testing.T) {
	root := tree(t, map[string]string{
		"run/NetworkManager/devices/3":                                          "[device]\nmanaged=true\nconnection-uuid=dfa6\nnm-owned=false\n",
		"run/NetworkManager/devices/5":                                          "[device]\nmanaged=true\nnm-owned=false\n",
		"run/NetworkManager/devices/6":                                          "[device]\nmanaged=true\nconnection-uuid=121a\n",
		"run/NetworkManager/devices/7":                                          "[device]\nmanaged=false\n",
		"run/NetworkManager/system-connections/cni0.nmconnection":               "[connection]\nid=cni0\nuuid=dfa6\n[.nmmeta]\nnm-generated=true\nvolatile=true\nexternal=true\n",
		"run/NetworkManager/system-connections/Wired connection 1.nmconnection": "[connection]\nuuid=121a\n[.nmmeta]\nnm-generated=true\n",
	})
	for index, want := range map[int]bool{3: false, 5: true, 6: true, 7: false} {
		if d, err := root.NetworkManagerDevice(index); err != nil || d.Configures() != want {
			t.Errorf("%d: %+v, %v, want it configured: %v", index, d, err, want)
		}
	}
	if d, _ := root.NetworkManagerDevice(6); d.Profile != "/run/NetworkManager/system-connections/Wired connection 1.nmconnection" {
		t.Errorf("profile is %q", d.Profile)
	}
	if _, err := root.NetworkManagerDevice(9); !hostconf.IsAbsent(err) {
		t.Errorf("9: %v", err)
	}
}

func TestCloudSetup(t *testing.T) {
	enabled := map[string]string{
		"etc/systemd/system/timers.target.wants/nm-cloud-setup.timer": "-> /usr/lib/systemd/system/nm-cloud-setup.timer",
		"usr/lib/systemd/system/nm-cloud-setup.service":               "[Service]\n#Environment=NM_CLOUD_SETUP_EC2=yes\n",
	}
	if on, _, err := tree(t, enabled).CloudSetup(); on || err != nil {
		t.Errorf("without a cloud: %v, %v", on, err)
	}
	enabled["etc/systemd/system/nm-cloud-setup.service.d/x.conf"] = "[Service]\nEnvironment=\"NM_CLOUD_SETUP_EC2=yes\" A=b\n"
	if on, where, err := tree(t, enabled).CloudSetup(); !on || err != nil || where.Text != "NM_CLOUD_SETUP_EC2=yes" {
		t.Errorf("with one: %v at %v, %v", on, where, err)
	}
	delete(enabled, "etc/systemd/system/timers.target.wants/nm-cloud-setup.timer")
	if on, _, err := tree(t, enabled).CloudSetup(); on || err != nil {
		t.Errorf("not enabled: %v, %v", on, err)
	}
}

func TestRunning(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"systemd says so":       {map[string]string{"run/systemd/system/x": "", "run/systemd/units/invocation:systemd-networkd.service": "-> 8a6f"}, true},
		"systemd says no":       {map[string]string{"run/systemd/system/x": "", "proc/7/comm": "systemd-network\n"}, false},
		"a process":             {map[string]string{"proc/7/comm": "systemd-network\n", "proc/7/ns/net": "-> net:[1]", "proc/self/ns/net": "-> net:[1]"}, true},
		"one of a container":    {map[string]string{"proc/7/comm": "systemd-network\n", "proc/7/ns/net": "-> net:[2]", "proc/self/ns/net": "-> net:[1]"}, false},
		"a directory from 2013": {map[string]string{"run/systemd/netif/links/x": "", "proc/7/comm": "bash\n"}, false},
	} {
		if got, err := tree(t, test.files).Running("systemd-networkd.service", "systemd-networkd"); got != test.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := tree(t, nil).Running("systemd-networkd.service", "systemd-networkd"); err == nil {
		t.Errorf("without /proc: %v, want an error", got)
	}
}

func TestHidden(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"a machine": {map[string]string{"run/systemd/system/x": ""}, false}, "kind": {map[string]string{"run/systemd/system/x": "", ".dockerenv": ""}, false},
		"a pod": {map[string]string{"run/secrets/kubernetes.io/x": ""}, true}, "podman": {map[string]string{"run/.containerenv": ""}, true}, "without systemd": {nil, false},
	} {
		if got := tree(t, test.files).Hidden(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The files are those that NetworkManager 1.42 wrote.
func TestNetworkingOff(t *testing.T) {
	const path = "var/lib/NetworkManager/NetworkManager.state"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  bool
		where string
	}{
		{"never switched", nil, false, ":0"},
		{"off", map[string]string{path: "[main]\nNetworkingEnabled=false\nWirelessEnabled=true\nWWANEnabled=true\n"}, true, "/" + path + ":2"},
		{"on again", map[string]string{path: "[main]\nNetworkingEnabled=true\nWirelessEnabled=true\n"}, false, "/" + path + ":2"},
		{"another section", map[string]string{path: "[other]\nNetworkingEnabled=false\n"}, false, ":0"},
	} {
		off, where, err := tree(t, test.files).NetworkingOff()
		if err != nil || off != test.want || where.String() != test.where {
			t.Errorf("%s: off %v at %v, %v; want %v at %s", test.name, off, where, err, test.want, test.where)
		}
	}
	if _, _, err := tree(t, map[string]string{path + "/x": ""}).NetworkingOff(); err == nil {
		t.Error("a directory in the place of the file is taken for networking that is on")
	}
}
