// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"sync"
)

// A Fake is a model of a namespace. It keeps state, behaves like the kernel as far as
// checks depend on it, and has a text form. The zero Fake is an empty namespace; Parse
// creates one from text.
type Fake struct {
	mu      sync.Mutex
	links   []Link
	addrs   map[string][]netip.Prefix
	routes  []Route
	sysctls map[string]string
	fails   map[string]string // method name → error text
	pings   pings

	paths      []path                // of routes, each at the same place
	tunnels    map[string]TunnelLink // by name; what Link has is left out
	neighbours []Neighbour
	fdb        []FDBEntry
	flows      []Flow

	wireGuardPeers  []fakePeer
	wireGuardMarks  map[string]uint32 // by name
	wireGuardUnread string
	sockets         []uint16 // UDP ports that are bound

	bridges   map[string]Bridge       // by name
	ports     map[string]PortSettings // by name
	strangers map[string]bool         // links whose peer is of another namespace, by name
	chains    []fakeChain
	ruleset   []string // lines of Ruleset.Text

	givenRules map[bool][]Rule // by whether they are IPv6; nil for those of a new namespace
	offloads   map[string]Offload
	echoes     []fakeEcho
	hears      []fakeHears
	counters   map[string][]uint64 // what they have at each reading; the last for good
	read       map[string]int      // how often each counter was read
}

var _ View = (*Fake)(nil)

// failure returns the error that the text form sets for a method.
func (f *Fake) failure(method string) error {
	if text, ok := f.fails[method]; ok {
		return errors.New(text)
	}
	return nil
}

func (f *Fake) find(name string) (*Link, error) {
	for i := range f.links {
		if f.links[i].Name == name {
			return &f.links[i], nil
		}
	}
	return nil, fmt.Errorf("get link %s: %w", name, fs.ErrNotExist)
}

// Link implements View.
func (f *Fake) Link(name string) (Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Link"); err != nil {
		return Link{}, err
	}
	link, err := f.find(name)
	if err != nil {
		return Link{}, err
	}
	return f.whole(*link), nil
}

// Links implements View.
func (f *Fake) Links() ([]Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Links"); err != nil {
		return nil, err
	}
	links := slices.SortedFunc(slices.Values(f.links), byIndex)
	for i, l := range links {
		links[i] = f.whole(l)
	}
	return links, nil
}

// Addrs implements View.
func (f *Fake) Addrs(name string) ([]netip.Prefix, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Addrs"); err != nil {
		return nil, err
	}
	if _, err := f.find(name); err != nil {
		return nil, err
	}
	return slices.Clone(f.addrs[name]), nil
}

// Routes implements View.
func (f *Fake) Routes() ([]Route, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Routes"); err != nil {
		return nil, err
	}
	var routes []Route
	for i, r := range f.routes {
		if f.paths[i].table == mainTable {
			routes = append(routes, r)
		}
	}
	return routes, nil
}

// Sysctl implements View.
func (f *Fake) Sysctl(name string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Sysctl"); err != nil {
		return "", err
	}
	value, ok := f.sysctls[name]
	if !ok {
		return "", fmt.Errorf("read sysctl %s: %w", name, fs.ErrNotExist)
	}
	return value, nil
}

// SetUp implements View.
func (f *Fake) SetUp(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("SetUp"); err != nil {
		return err
	}
	link, err := f.find(name)
	if err != nil {
		return err
	}
	if name == "lo" && !link.Up {
		f.addLoopbackAddrs()
	}
	link.Up = true
	return nil
}

// addLoopbackAddrs adds the addresses that the kernel assigns to lo when it comes up
// (inetdev_event, and init_loopback of addrconf).
func (f *Fake) addLoopbackAddrs() {
	f.addAddr("lo", netip.MustParsePrefix("127.0.0.1/8"))
	if f.sysctls["net/ipv6/conf/lo/disable_ipv6"] == "0" {
		f.addAddr("lo", netip.MustParsePrefix("::1/128"))
	}
}

// AddAddr implements View.
func (f *Fake) AddAddr(name string, addr netip.Prefix) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("AddAddr"); err != nil {
		return err
	}
	if _, err := f.find(name); err != nil {
		return err
	}
	f.addAddr(name, addr)
	return nil
}

func (f *Fake) addAddr(name string, addr netip.Prefix) {
	if f.addrs == nil {
		f.addrs = make(map[string][]netip.Prefix)
	}
	if !slices.Contains(f.addrs[name], addr) {
		f.addrs[name] = append(f.addrs[name], addr)
	}
}

// SetSysctl implements View.
func (f *Fake) SetSysctl(name, value string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("SetSysctl"); err != nil {
		return err
	}
	if _, ok := f.sysctls[name]; !ok {
		return fmt.Errorf("write sysctl %s: %w", name, fs.ErrNotExist)
	}
	if f.sysctls[name] != value {
		f.setForwarding(name, value)
	}
	f.sysctls[name] = value
	return nil
}

// Lookup implements View. An address of a link is local, and so is every address in a
// prefix of lo. Otherwise the longest prefix wins, of a route or of an address.
func (f *Fake) Lookup(addr netip.Addr) (Hop, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Lookup"); err != nil {
		return Hop{}, err
	}
	addr = addr.Unmap()
	best, hop := -1, Hop{}
	for link, prefixes := range f.addrs {
		for _, p := range prefixes {
			if p.Addr() == addr || link == "lo" && p.Contains(addr) {
				return Hop{Local: true, Link: f.indexOf("lo"), Source: addr}, nil
			}
			if p.Contains(addr) && p.Bits() > best {
				best, hop = p.Bits(), Hop{Link: f.indexOf(link), Source: p.Addr()}
			}
		}
	}
	for _, r := range f.routes {
		matches, bits := r.Dst.Contains(addr), r.Dst.Bits()
		if !r.Dst.IsValid() { // the default route of the family of its gateway
			matches, bits = !r.Gateway.IsValid() || r.Gateway.Is4() == addr.Is4(), 0
		}
		if matches && bits > best {
			best, hop = bits, Hop{Gateway: r.Gateway, Link: f.indexOf(r.Link), Source: f.sourceOf(r.Link, addr)}
		}
	}
	if best < 0 {
		return Hop{}, fmt.Errorf("look up route to %s: %w", addr, fs.ErrNotExist)
	}
	return hop, nil
}

// indexOf returns the index of a link; 0 if there is none.
func (f *Fake) indexOf(name string) int {
	link, err := f.find(name)
	if err != nil {
		return 0
	}
	return link.Index
}

// sourceOf returns the first address of a link that is of the family of addr.
func (f *Fake) sourceOf(link string, addr netip.Addr) netip.Addr {
	for _, p := range f.addrs[link] {
		if p.Addr().Is4() == addr.Is4() {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// Flows implements View.
func (f *Fake) Flows(protocol uint8) ([]Flow, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Flows"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(f.flows), func(flow Flow) bool { return flow.Protocol != protocol }), nil
}
