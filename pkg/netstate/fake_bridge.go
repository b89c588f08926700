// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// LinkByIndex implements View.
func (f *Fake) LinkByIndex(index int) (Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("LinkByIndex"); err != nil {
		return Link{}, err
	}
	for _, l := range f.links {
		if l.Index == index {
			return f.whole(l), nil
		}
	}
	return Link{}, fmt.Errorf("get link with index %d: %w", index, fs.ErrNotExist)
}

// whole adds what a link has beside its statement.
func (f *Fake) whole(l Link) Link {
	l.Master = f.tunnels[l.Name].Master
	for _, master := range f.links {
		if l.Master != 0 && master.Index == l.Master {
			l.MasterKind = master.Kind
		}
	}
	return l
}

// MasterOf implements View.
func (f *Fake) MasterOf(port Link) (Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("MasterOf"); err != nil || port.Master == 0 {
		return Link{}, err
	}
	for _, l := range f.links {
		if l.Index == port.Master {
			return Link{Name: l.Name, Index: l.Index, Kind: port.MasterKind, Up: l.Up}, nil
		}
	}
	return Link{}, fmt.Errorf("get what %s is a port of: %w", port.Name, fs.ErrNotExist)
}

// IsPeerIn implements View. All namespaces are one, but for that of a stranger.
func (f *Fake) IsPeerIn(index int, _ *Netns) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("IsPeerIn"); err != nil {
		return false, err
	}
	for _, l := range f.links {
		if l.Index == index {
			return !f.strangers[l.Name], nil
		}
	}
	return false, fmt.Errorf("get peer of the link with index %d: %w", index, fs.ErrNotExist)
}

// Bridge implements View.
func (f *Fake) Bridge(name string) (Bridge, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Bridge"); err != nil {
		return Bridge{}, err
	}
	link, err := f.find(name)
	if err == nil && link.Kind != "bridge" {
		err = fmt.Errorf("get bridge %s: it is no bridge: %w", name, fs.ErrNotExist)
	}
	return f.bridges[name], err
}

// AddPort implements View.
func (f *Fake) AddPort(bridge, link string, settings PortSettings) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("AddPort"); err != nil {
		return err
	}
	master, err := f.find(bridge)
	if err != nil {
		return err
	}
	if _, err := f.find(link); err != nil {
		return err
	}
	port := f.tunnels[link]
	port.Master = master.Index
	f.tunnels[link] = port
	f.ports[link] = settings
	return nil
}

// SetBridgeNetfilter implements View.
func (f *Fake) SetBridgeNetfilter(bridge string, six bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("SetBridgeNetfilter"); err != nil {
		return err
	}
	if _, err := f.find(bridge); err != nil {
		return err
	}
	b := f.bridges[bridge]
	if six {
		b.NFCallIP6Tables = true
	} else {
		b.NFCallIPTables = true
	}
	f.bridges[bridge] = b
	return nil
}

// NFTChain implements View.
func (f *Fake) NFTChain(c Chain) (bool, error) { return f.hasChain("NFTChain", "nft", c) }

// LegacyChain implements View.
func (f *Fake) LegacyChain(c Chain) (bool, error) { return f.hasChain("LegacyChain", "legacy", c) }

func (f *Fake) hasChain(method, ruleset string, c Chain) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure(method); err != nil {
		return false, err
	}
	return slices.Contains(f.chains, fakeChain{ruleset, c}), nil
}

// A fakeChain is a chain of one of the two rulesets.
type fakeChain struct {
	ruleset string // nft or legacy
	Chain
}

// parseBridge reads "NAME [nf_call_iptables] [nf_call_ip6tables] [vlan_filtering]".
func (f *Fake) parseBridge(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("want a name")
	}
	link, err := f.find(words[0])
	if err != nil {
		return err
	}
	if link.Kind != "bridge" {
		return fmt.Errorf("%s is no bridge", link.Name)
	}
	var b Bridge
	for _, word := range words[1:] {
		switch word {
		case "nf_call_iptables":
			b.NFCallIPTables = true
		case "nf_call_ip6tables":
			b.NFCallIP6Tables = true
		case "vlan_filtering":
			b.VLANFiltering = true
		default:
			return fmt.Errorf("%s is no setting of a bridge", word)
		}
	}
	f.bridges[link.Name] = b
	return nil
}

// parseChain reads "nft|legacy ip|ip6 TABLE NAME".
func (f *Fake) parseChain(words []string) error {
	if len(words) != 4 || words[0] != "nft" && words[0] != "legacy" || words[1] != "ip" && words[1] != "ip6" {
		return fmt.Errorf("want nft or legacy, ip or ip6, a table and a name")
	}
	f.chains = append(f.chains, fakeChain{words[0], Chain{Six: words[1] == "ip6", Table: words[2], Name: words[3]}})
	return nil
}

// writeBridges prints the settings of bridges and the chains.
func (f *Fake) writeBridges(b *strings.Builder) {
	for _, name := range slices.Sorted(maps.Keys(f.bridges)) {
		if settings := f.bridges[name]; settings != (Bridge{}) {
			b.WriteString("bridge " + name)
			for _, setting := range []struct {
				set  bool
				name string
			}{{settings.NFCallIPTables, " nf_call_iptables"}, {settings.NFCallIP6Tables, " nf_call_ip6tables"}, {settings.VLANFiltering, " vlan_filtering"}} {
				if setting.set {
					b.WriteString(setting.name)
				}
			}
			b.WriteString("\n")
		}
	}
	for _, c := range f.chains {
		family := "ip"
		if c.Six {
			family = "ip6"
		}
		fmt.Fprintf(b, "chain %s %s %s %s\n", c.ruleset, family, c.Table, c.Name)
	}
}

// setForwarding does what the kernel does where ip_forward, or the same of all
// interfaces, changes: each interface gets the value, and so do those to come
// (inet_forward_change). To write the value that is there changes nothing.
func (f *Fake) setForwarding(name, value string) {
	if name != "net/ipv4/ip_forward" && name != "net/ipv4/conf/all/forwarding" {
		return
	}
	for other := range f.sysctls {
		if of, ok := strings.CutPrefix(other, "net/ipv4/"); ok && (of == "ip_forward" || strings.HasSuffix(of, "/forwarding")) {
			f.sysctls[other] = value
		}
	}
}
