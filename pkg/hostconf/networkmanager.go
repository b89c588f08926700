// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strings"
)

// NetworkManager is the configuration of NetworkManager.
type NetworkManager struct{ settings }

// NetworkManager reads NetworkManager.conf and the files of conf.d, in the order of
// NetworkManager.conf(5): those of /usr/lib and of /run first, then the main file,
// then those of /etc. A file hides those of its name in earlier directories.
func (r Root) NetworkManager() (*NetworkManager, error) {
	const below = "NetworkManager/conf.d"
	etc, err := r.fragments(".conf", "/etc/"+below, "/run/"+below, "/usr/lib/"+below)
	if err != nil {
		return nil, err
	}
	main, err := r.firstOf("/etc/NetworkManager/NetworkManager.conf")
	if err != nil {
		return nil, err
	}
	in := func(dir string) []file {
		return slices.DeleteFunc(slices.Clone(etc), func(f file) bool { return path.Dir(f.path) != dir })
	}
	order := slices.Concat(in("/usr/lib/"+below), in("/run/"+below), main, in("/etc/"+below))
	return &NetworkManager{parseSettings(order)}, nil
}

// DropIns returns the files of /etc that are read after NetworkManager.conf, in their
// order.
func (n *NetworkManager) DropIns() []string {
	return slices.DeleteFunc(slices.Clone(n.files), func(file string) bool { return path.Dir(file) != "/etc/NetworkManager/conf.d" })
}

// Ignores reports whether the configuration leaves a link unmanaged, and where it says
// so: unmanaged-devices of [keyfile], or managed of a section [device…]. A later
// unmanaged-devices replaces earlier ones, unless it is written with "+=".
func (n *NetworkManager) Ignores(link Link) (bool, Value) {
	var specs []Value
	managed := map[string]assignment{}
	matching := map[string]string{}
	for _, a := range n.assignments {
		switch {
		case a.section == "keyfile" && a.key == "unmanaged-devices":
			specs = []Value{a.Value}
		case a.section == "keyfile" && a.key == "unmanaged-devices+":
			specs = append(specs, a.Value)
		case strings.HasPrefix(a.section, "device") && a.key == "managed":
			managed[a.section] = a
		case strings.HasPrefix(a.section, "device") && a.key == "match-device":
			matching[a.section] = a.Text
		}
	}
	var items []string
	for _, spec := range specs {
		items = append(items, specItems(spec.Text)...)
	}
	if specMatches(items, link) {
		return true, specs[len(specs)-1]
	}
	for _, section := range slices.Sorted(maps.Keys(managed)) {
		manages, known := isTrue(managed[section].Text)
		if known && !manages && specMatches(specItems(matching[section]), link) {
			return true, managed[section].Value
		}
	}
	return false, Value{}
}

func specItems(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",; \t", r) })
}

// specMatches follows nm_match_spec_device: except: excludes, and a list of
// exclusions only matches all else.
func specMatches(items []string, link Link) bool {
	matched, positive := false, false
	for _, item := range items {
		item, excludes := strings.CutPrefix(item, "except:")
		positive = positive || !excludes
		if !specMatchesOne(item, link) {
			continue
		}
		if excludes {
			return false
		}
		matched = true
	}
	return matched || len(items) > 0 && !positive
}

func specMatchesOne(item string, link Link) bool {
	key, value, ok := strings.Cut(item, ":")
	switch {
	case item == "*":
		return true
	case ok && key == "interface-name":
		if exact, ok := strings.CutPrefix(value, "="); ok {
			return exact == link.Name
		}
		return matches(strings.TrimPrefix(value, "~"), link.Name)
	case ok && key == "mac":
		want, err := net.ParseMAC(value)
		return err == nil && want.String() == link.MAC.String()
	case ok && key == "driver":
		return matches(value, link.driver())
	case ok && key == "type":
		return value == link.nmType()
	}
	mac, err := net.ParseMAC(item)
	return item == link.Name || err == nil && mac.String() == link.MAC.String()
}

// nmType returns what type: matches, as `nmcli device` shows it.
func (l Link) nmType() string {
	switch l.Kind {
	case "ipip", "ip6tnl", "sit", "gre", "ip6gre", "gretap", "ip6gretap":
		return "ip-tunnel"
	case "":
		return "ethernet"
	}
	return l.Kind
}

// A DeviceState is what NetworkManager made of a link.
type DeviceState struct {
	File    string // where that is read
	Managed bool   // it configures the link, or mirrors what others configured
	// External says that it only mirrors ("connected (externally)" in nmcli).
	External bool
	Owned    bool // NetworkManager made the link itself
	// Profile is the file of the connection that is active on the link; "" where none
	// is, or it has no file in /run, as those of /etc.
	Profile string
}

// Configures reports whether NetworkManager sets the link up as it thinks fit.
func (d DeviceState) Configures() bool { return d.Managed && !d.External }

// NetworkManagerDevice returns what NetworkManager made of the link with that index.
// The error wraps fs.ErrNotExist where it has not seen it.
func (r Root) NetworkManagerDevice(index int) (DeviceState, error) {
	d := DeviceState{File: fmt.Sprintf("/run/NetworkManager/devices/%d", index)}
	data, err := r.ReadFile(d.File)
	if err != nil {
		return DeviceState{}, err
	}
	s := parseSettings([]file{{d.File, data}})
	d.Managed, _ = s.boolean("device", "managed", false)
	d.Owned, _ = s.boolean("device", "nm-owned", false)
	connection, ok := s.last("device", "connection-uuid")
	if !ok || !d.Managed {
		return d, nil
	}
	profiles, err := r.fragments(".nmconnection", "/run/NetworkManager/system-connections")
	if err != nil {
		return DeviceState{}, err
	}
	for _, f := range profiles {
		profile := parseSettings([]file{f})
		if uuid, _ := profile.last("connection", "uuid"); uuid.Text == connection.Text {
			d.Profile = f.path
			d.External, _ = profile.boolean(".nmmeta", "external", false)
		}
	}
	return d, nil
}

// NetworkingOff reports whether NetworkManager's networking is switched off, as by
// `nmcli networking off`, and where that is kept. Without the file it is on: NetworkManager
// writes it once something was switched.
func (r Root) NetworkingOff() (bool, Value, error) {
	files, err := r.firstOf("/var/lib/NetworkManager/NetworkManager.state")
	if err != nil {
		return false, Value{}, err
	}
	on, where := parseSettings(files).boolean("main", "NetworkingEnabled", true)
	return !on, where, nil
}

// CloudSetup reports whether nm-cloud-setup is enabled for a cloud, and where: its
// service does nothing without a variable such as NM_CLOUD_SETUP_EC2=yes.
func (r Root) CloudSetup() (bool, Value, error) {
	enabled := false
	for _, unit := range []string{"nm-cloud-setup.timer", "nm-cloud-setup.service"} {
		for _, dir := range []string{"timers.target.wants", "multi-user.target.wants", "NetworkManager.service.wants"} {
			enabled = enabled || r.exists("/etc/systemd/system/"+dir+"/"+unit)
		}
	}
	if !enabled {
		return false, Value{}, nil
	}
	files, err := r.firstOf(joinAll(unitDirs(), "nm-cloud-setup.service")...)
	if err != nil {
		return false, Value{}, err
	}
	more, err := r.fragments(".conf", joinAll(unitDirs(), "nm-cloud-setup.service.d")...)
	if err != nil {
		return false, Value{}, err
	}
	for _, v := range parseSettings(append(files, more...)).all("Service", "Environment") {
		for _, word := range words(v.Text) {
			name, value, _ := strings.Cut(word, "=")
			if on, _ := isTrue(value); on && strings.HasPrefix(name, "NM_CLOUD_SETUP_") {
				return true, Value{name + "=" + value, v.File, v.Line}, nil
			}
		}
	}
	return false, Value{}, nil
}

func unitDirs() []string { return vendorDirs("systemd/system") }

func joinAll(dirs []string, name string) []string {
	paths := make([]string, len(dirs))
	for i, dir := range dirs {
		paths[i] = path.Join(dir, name)
	}
	return paths
}
