// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// Networkd is the configuration of systemd-networkd.
type Networkd struct {
	Networks []Network // in the order in which they are tried; the first that matches a link holds
	NetDevs  []NetDev
	daemon   settings
}

// A Network is a .network file with its drop-ins.
type Network struct {
	Path string // "/etc/systemd/network/10-eth0.network"
	settings
}

// A NetDev is a device that networkd makes: a .netdev file.
type NetDev struct{ Path, Name, Kind string }

// Networkd reads the configuration of systemd-networkd, which is another than the
// one it works with if files changed since it read them.
func (r Root) Networkd() (*Networkd, error) {
	n := new(Networkd)
	networks, err := r.units("network")
	if err != nil {
		return nil, err
	}
	for _, s := range networks {
		n.Networks = append(n.Networks, Network{s.files[0], s})
	}
	devices, err := r.units("netdev")
	if err != nil {
		return nil, err
	}
	for _, s := range devices {
		name, _ := s.last("NetDev", "Name")
		kind, _ := s.last("NetDev", "Kind")
		n.NetDevs = append(n.NetDevs, NetDev{s.files[0], name.Text, kind.Text})
	}
	n.daemon, err = r.daemonSettings()
	return n, err
}

// daemonSettings reads networkd.conf and its drop-ins.
func (r Root) daemonSettings() (settings, error) {
	var mains, dropIns []string
	for _, dir := range vendorDirs("systemd") {
		mains = append(mains, path.Join(dir, "networkd.conf"))
		dropIns = append(dropIns, path.Join(dir, "networkd.conf.d"))
	}
	main, err := r.firstOf(mains...)
	if err != nil {
		return settings{}, err
	}
	more, err := r.fragments(".conf", dropIns...)
	return parseSettings(append(main, more...)), err
}

// ManagesForeignRoutes reports whether networkd deletes routes that others added to
// the links that it manages (ManageForeignRoutes=, systemd 246, yes by default), and
// where that is said; the zero Value where it is the default.
func (n *Networkd) ManagesForeignRoutes() (bool, Value) {
	return n.daemon.boolean("Network", "ManageForeignRoutes", true)
}

// ManagesForeignRules does the same for routing policy rules
// (ManageForeignRoutingPolicyRules=, systemd 249, yes by default).
func (n *Networkd) ManagesForeignRules() (bool, Value) {
	return n.daemon.boolean("Network", "ManageForeignRoutingPolicyRules", true)
}

// DaemonDropIns returns the drop-ins of networkd.conf, in their order.
func (n *Networkd) DaemonDropIns() []string {
	return slices.DeleteFunc(slices.Clone(n.daemon.files), func(file string) bool { return path.Base(file) == "networkd.conf" })
}

// For returns the file that networkd would apply to a link, whether or not it says
// Unmanaged=yes; nil where none matches. An error says that a file before may match,
// which the link and the files alone cannot tell.
func (n *Networkd) For(link Link) (*Network, error) {
	for i := range n.Networks {
		network := &n.Networks[i]
		matched, err := network.match(link, "Name")
		if err != nil {
			return nil, err
		}
		if matched {
			return network, nil
		}
	}
	return nil, nil
}

// ByPath returns the network of that file, nil where there is none any more.
func (n *Networkd) ByPath(file string) *Network {
	for i := range n.Networks {
		if n.Networks[i].Path == file || path.Base(n.Networks[i].Path) == path.Base(file) {
			return &n.Networks[i]
		}
	}
	return nil
}

// Makes returns the .netdev file by which networkd makes the device of that name.
func (n *Networkd) Makes(name string) (NetDev, bool) {
	for _, d := range n.NetDevs {
		if d.Name == name {
			return d, true
		}
	}
	return NetDev{}, false
}

// DropInDir returns the directory in /etc for drop-ins of the file.
func (n *Network) DropInDir() string {
	return path.Join("/etc/systemd/network", path.Base(n.Path)+".d")
}

// DropIns returns the paths of its drop-ins.
func (n *Network) DropIns() []string { return n.files[1:] }

// Unmanaged reports whether networkd leaves the links of the file alone.
func (n *Network) Unmanaged() bool {
	unmanaged, _ := n.boolean("Link", "Unmanaged", false)
	// ActivationPolicy=manual and Unmanaged differ: only the latter keeps networkd off.
	return unmanaged
}

// KeepsMaster reports whether a link stays the port of a bridge that the file does
// not name (KeepMaster=, systemd 246).
func (n *Network) KeepsMaster() bool {
	keeps, _ := n.boolean("Network", "KeepMaster", false)
	return keeps
}

// Master returns the bridge, bond or VRF that the links of the file become a port
// of; false where it names none.
func (n *Network) Master() (Value, bool) {
	for _, key := range []string{"Bridge", "Bond", "VRF"} {
		if v, ok := n.last("Network", key); ok {
			return v, true
		}
	}
	return Value{}, false
}

// KeepConfiguration returns which addresses and routes survive that networkd
// configures the link again: "yes" for all, "" for none, or another word of
// KeepConfiguration=.
func (n *Network) KeepConfiguration() string {
	v, ok := n.last("Network", "KeepConfiguration")
	if keeps, known := isTrue(v.Text); ok && known {
		if keeps {
			return "yes"
		}
		return ""
	}
	return v.Text
}

// IgnoresCarrierLoss reports whether the configuration stays when the carrier is lost,
// be it for a time only (IgnoreCarrierLoss=, by default the value of
// ConfigureWithoutCarrier=).
func (n *Network) IgnoresCarrierLoss() bool {
	without, _ := n.boolean("Network", "ConfigureWithoutCarrier", false)
	v, ok := n.last("Network", "IgnoreCarrierLoss")
	if !ok {
		return without
	}
	if b, ok := isTrue(v.Text); ok {
		return b
	}
	return true // a time span
}

// HasDHCP reports whether the file asks for DHCP.
func (n *Network) HasDHCP() bool {
	v, ok := n.last("Network", "DHCP")
	if !ok {
		return false
	}
	b, known := isTrue(v.Text)
	return b || !known
}

// Sets returns what the file sets on the device itself: MACAddress= or MTUBytes=.
func (n *Network) Sets(key string) (Value, bool) { return n.last("Link", key) }

// Matching returns the assignments of the section [Match].
func (n *Network) Matching() []Value {
	var all []Value
	for _, a := range n.assignments {
		if a.section == "Match" && a.Text != "" {
			all = append(all, Value{a.key + "=" + a.Text, a.File, a.Line})
		}
	}
	return all
}

// SystemdVersion returns the version of systemd, such as 252; 0 if it is unknown.
// It is part of the name of a library that all its programs share.
func (r Root) SystemdVersion() int {
	newest := 0
	dirs := []string{"/usr/lib/systemd", "/lib/systemd", "/usr/lib64/systemd"}
	for _, arch := range []string{"x86_64", "aarch64"} {
		dirs = append(dirs, "/usr/lib/"+arch+"-linux-gnu/systemd", "/lib/"+arch+"-linux-gnu/systemd")
	}
	for _, dir := range dirs {
		names, _ := r.ReadDir(dir)
		for _, name := range names {
			rest, ok := strings.CutPrefix(name, "libsystemd-shared-")
			digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
			if version, err := strconv.Atoi(digits); ok && err == nil {
				newest = max(newest, version)
			}
		}
	}
	return newest
}
