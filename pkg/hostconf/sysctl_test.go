// SPDX-License-Identifier: Apache-2.0

package hostconf_test

import (
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

const forward = "net/ipv4/ip_forward"

// Which assignment holds, per program. A "-" is none.
func TestSysctlOrder(t *testing.T) {
	for _, test := range []struct {
		name         string
		files        map[string]string
		key          string
		boot, system string // FILE:LINE=VALUE
	}{
		{"one file", map[string]string{"etc/sysctl.d/10-a.conf": "# no\n\nnet.ipv4.ip_forward = 1\n"}, forward,
			"/etc/sysctl.d/10-a.conf:3=1", "/etc/sysctl.d/10-a.conf:3=1"},
		{"later name wins whatever its directory", map[string]string{
			"etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward=1", "usr/lib/sysctl.d/90-b.conf": "net.ipv4.ip_forward=0"}, forward,
			"/usr/lib/sysctl.d/90-b.conf:1=0", "/usr/lib/sysctl.d/90-b.conf:1=0"},
		{"same name: /etc hides /run hides /usr", map[string]string{
			"etc/sysctl.d/90-b.conf": "kernel.x=1", "run/sysctl.d/90-b.conf": "net.ipv4.ip_forward=0", "usr/lib/sysctl.d/90-b.conf": "net.ipv4.ip_forward=0"}, forward,
			"-", "-"},
		{"masked by a link", map[string]string{"etc/sysctl.d/90-b.conf": "-> /dev/null", "usr/lib/sysctl.d/90-b.conf": "net.ipv4.ip_forward=0"}, forward, "-", "-"},
		{"masked by an empty file", map[string]string{"run/sysctl.d/90-b.conf": "", "usr/lib/sysctl.d/90-b.conf": "net.ipv4.ip_forward=0"}, forward, "-", "-"},
		{"sysctl.conf is procps's", map[string]string{"etc/sysctl.d/zz.conf": "net.ipv4.ip_forward=1", "etc/sysctl.conf": "net.ipv4.ip_forward=0"}, forward,
			"/etc/sysctl.d/zz.conf:1=1", "/etc/sysctl.conf:1=0"},
		{"Debian links sysctl.conf", map[string]string{
			"etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf", "etc/sysctl.conf": "net.ipv4.ip_forward=0", "etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward=1"}, forward,
			"/etc/sysctl.d/99-sysctl.conf:1=0", "/etc/sysctl.conf:1=0"},
		{"an absolute link stays below the root", map[string]string{"etc/sysctl.d/10-a.conf": "-> /opt/a.conf", "opt/a.conf": "net.ipv4.ip_forward=0"}, forward,
			"/etc/sysctl.d/10-a.conf:1=0", "/etc/sysctl.d/10-a.conf:1=0"},
		{"a dash forgives", map[string]string{"etc/sysctl.d/a.conf": "-net.ipv4.ip_forward=0"}, forward, "/etc/sysctl.d/a.conf:1=0", "/etc/sysctl.d/a.conf:1=0"},
		{"pattern", map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.conf.*.forwarding=0"}, "net/ipv4/conf/flannel.1/forwarding", "/etc/sysctl.d/a.conf:1=0", "/etc/sysctl.d/a.conf:1=0"},
		{"pattern matches one element", map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.*=0"}, "net/ipv4/conf/eth0/forwarding", "-", "-"},
		{"the key beats a later pattern", map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.conf.eth0.rp_filter=2\nnet.ipv4.conf.*.rp_filter=1"}, "net/ipv4/conf/eth0/rp_filter",
			"/etc/sysctl.d/a.conf:1=2", "/etc/sysctl.d/a.conf:1=2"},
		{"excluded from a pattern", map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.conf.*.rp_filter=1\n-net.ipv4.conf.all.rp_filter"}, "net/ipv4/conf/all/rp_filter", "-", "-"},
		{"a slash is the dot of a name", map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.conf.eth0/100.forwarding=0"}, "net/ipv4/conf/eth0.100/forwarding",
			"/etc/sysctl.d/a.conf:1=0", "/etc/sysctl.d/a.conf:1=0"},
		{"slashes first", map[string]string{"etc/sysctl.d/a.conf": "net/ipv4/conf/eth0.100/forwarding=0"}, "net/ipv4/conf/eth0.100/forwarding",
			"/etc/sysctl.d/a.conf:1=0", "/etc/sysctl.d/a.conf:1=0"},
		{"other suffixes and hidden files", map[string]string{"etc/sysctl.d/a.conf.bak": "net.ipv4.ip_forward=0", "etc/sysctl.d/.a.conf": "net.ipv4.ip_forward=0", "etc/sysctl.d/README": "net.ipv4.ip_forward=0"}, forward, "-", "/etc/sysctl.d/.a.conf:1=0"},
		{"a directory hides a file", map[string]string{"etc/sysctl.d/90-b.conf/x": "", "usr/lib/sysctl.d/90-b.conf": "net.ipv4.ip_forward=0"}, forward, "-", "-"},
		{"a pattern that is repeated keeps its place", map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.conf.*.tag=1\nnet.ipv4.conf.e*.tag=2\nnet.ipv4.conf.*.tag=1\n"}, "net/ipv4/conf/eth0/tag",
			"/etc/sysctl.d/a.conf:2=2", "/etc/sysctl.d/a.conf:3=1"},
		{"a space after the dash", map[string]string{"etc/sysctl.d/a.conf": "- net.ipv4.ip_forward=0"}, forward, "/etc/sysctl.d/a.conf:1=0", "-"},
		{"a dangling link", map[string]string{"etc/sysctl.d/a.conf": "-> nowhere"}, forward, "-", "-"},
		{"lines that say nothing", map[string]string{"etc/sysctl.d/a.conf": "net.ipv4.ip_forward\n=0\n; net.ipv4.ip_forward=0\n"}, forward, "-", "-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := tree(t, test.files)
			boot, err := root.BootSysctls()
			if got := placeOf(boot, test.key); got != test.boot || err != nil {
				t.Errorf("at boot: %s, %v, want %s", got, err, test.boot)
			}
			system, err := root.SystemSysctls()
			if got := placeOf(system, test.key); got != test.system || err != nil {
				t.Errorf("by sysctl --system: %s, %v, want %s", got, err, test.system)
			}
		})
	}
}

func placeOf(s hostconf.Sysctls, key string) string {
	found, ok := s.Of(key)
	if !ok {
		return "-"
	}
	return found.Value.String() + "=" + found.Text
}

// A file that cannot be read is an error that names it.
func TestUnreadable(t *testing.T) {
	root := tree(t, map[string]string{
		"etc/sysctl.d/a.conf/x": "", "etc/modules-load.d/m.conf": "-> m.conf", "etc/systemd/network/n.network": "-> /etc/sysctl.d",
		"etc/NetworkManager/NetworkManager.conf/x": "", "run/systemd/netif/links/3/x": "", "usr/lib/systemd/network": "a file",
	})
	for file, read := range map[string]func() error{
		"/etc/modules-load.d/m.conf":              func() error { _, err := root.ModulesAtBoot(); return err },
		"/usr/lib/systemd/network":                func() error { _, err := root.Networkd(); return err },
		"/etc/NetworkManager/NetworkManager.conf": func() error { _, err := root.NetworkManager(); return err },
		"/run/systemd/netif/links/3":              func() error { _, err := root.NetworkdLink(3); return err },
	} {
		if err := read(); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want an error that names it", file, err)
		}
	}
}

func TestModulesAtBoot(t *testing.T) {
	root := tree(t, map[string]string{
		"etc/modules-load.d/k8s.conf": "# overlay\noverlay\n\nbr-netfilter\n", "proc/cmdline": "quiet modules_load=ipip,x rw",
	})
	modules, err := root.ModulesAtBoot()
	if err != nil || modules["br_netfilter"].String() != "/etc/modules-load.d/k8s.conf:4" || modules["ipip"].File != "/proc/cmdline" || len(modules) != 4 {
		t.Errorf("got %v, %v", modules, err)
	}
}

func FuzzSysctls(f *testing.F) {
	f.Add("net.ipv4.conf.*.forwarding=0\n-net.ipv4.conf.all.rp_filter", "net/ipv4/conf/a.b/forwarding")
	f.Add("[!=1\n=\n-\n-=", "[!")
	f.Fuzz(func(t *testing.T, text, key string) {
		root := tree(t, map[string]string{"etc/sysctl.d/a.conf": text + "\n"})
		s, err := root.BootSysctls()
		if err != nil {
			t.Fatal(err)
		}
		if found, ok := s.Of(key); ok && (found.Line < 1 || found.File != "/etc/sysctl.d/a.conf") {
			t.Errorf("%q: found at %v", key, found)
		}
	})
}
