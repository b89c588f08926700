// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// replayed is a View that answers what a recorder recorded. A method that is not
// replayed returns an error that wraps ErrNotRecorded, as do changes.
type replayed struct {
	netstate.Unreadable
	k      *kernel
	opened map[*conversation]bool // by a socket of the replay
	dialed map[*dialed]bool       // by a connection of the replay
}

var _ netstate.View = (*replayed)(nil)

func newReplayed(k *kernel) *replayed {
	return &replayed{Unreadable: netstate.Unreadable{Err: ErrNotRecorded}, k: k, opened: map[*conversation]bool{}, dialed: map[*dialed]bool{}}
}

// Link implements View.
func (r *replayed) Link(name string) (netstate.Link, error) {
	return replay[netstate.Link](&r.k.Answers, "Link", name)
}

// Links implements View.
func (r *replayed) Links() ([]netstate.Link, error) {
	return replay[[]netstate.Link](&r.k.Answers, "Links")
}

// LinkByIndex implements View.
func (r *replayed) LinkByIndex(index int) (netstate.Link, error) {
	return replay[netstate.Link](&r.k.Answers, "LinkByIndex", index)
}

// MasterOf implements View.
func (r *replayed) MasterOf(l netstate.Link) (netstate.Link, error) {
	return replay[netstate.Link](&r.k.Answers, "MasterOf", l.Index, l.Master)
}

// Addrs implements View.
func (r *replayed) Addrs(link string) ([]netip.Prefix, error) {
	return replay[[]netip.Prefix](&r.k.Answers, "Addrs", link)
}

// AllAddrs implements View.
func (r *replayed) AllAddrs() ([]netstate.LinkAddr, error) {
	return replay[[]netstate.LinkAddr](&r.k.Answers, "AllAddrs")
}

// Routes implements View.
func (r *replayed) Routes() ([]netstate.Route, error) {
	return replay[[]netstate.Route](&r.k.Answers, "Routes")
}

// Rules implements View.
func (r *replayed) Rules() ([]netstate.Rule, error) {
	return replay[[]netstate.Rule](&r.k.Answers, "Rules")
}

// Counter implements View.
func (r *replayed) Counter(name string) (uint64, error) {
	return replay[uint64](&r.k.Answers, "Counter", name)
}

// Lookup implements View.
func (r *replayed) Lookup(addr netip.Addr) (netstate.Hop, error) {
	return replay[netstate.Hop](&r.k.Answers, "Lookup", addr.String())
}

// TunnelDump implements View.
func (r *replayed) TunnelDump(kinds ...string) (netstate.TunnelDump, error) {
	return replay[netstate.TunnelDump](&r.k.Answers, askTunnels(kinds)...)
}

// Flows implements View.
func (r *replayed) Flows(protocol uint8) ([]netstate.Flow, error) {
	return replay[[]netstate.Flow](&r.k.Answers, "Flows", protocol)
}

// BoundUDP implements View.
func (r *replayed) BoundUDP(port uint16) (bool, error) {
	return replay[bool](&r.k.Answers, "BoundUDP", port)
}

// Forwards4 implements View. The sysctl is asked for, which a bundle has for every reader.
func (r *replayed) Forwards4(link netstate.Link) (bool, error) {
	return netstate.SysctlReader(r.Sysctl).Forwards4(link)
}

// Forwards6 implements View, as Forwards4 does.
func (r *replayed) Forwards6() (bool, error) { return netstate.SysctlReader(r.Sysctl).Forwards6() }

// Sysctl implements View.
func (r *replayed) Sysctl(name string) (string, error) {
	return replay[string](&r.k.Answers, "Sysctl", name)
}

// Bridge implements View.
func (r *replayed) Bridge(name string) (netstate.Bridge, error) {
	return replay[netstate.Bridge](&r.k.Answers, "Bridge", name)
}

// NFTChain implements View.
func (r *replayed) NFTChain(c netstate.Chain) (bool, error) {
	return replay[bool](&r.k.Answers, "NFTChain", c.Six, c.Table, c.Name)
}

// LegacyChain implements View.
func (r *replayed) LegacyChain(c netstate.Chain) (bool, error) {
	return replay[bool](&r.k.Answers, "LegacyChain", c.Six, c.Table, c.Name)
}

// Ruleset implements View.
func (r *replayed) Ruleset(*netstate.Ruleset) (*netstate.Ruleset, error) {
	return replay[*netstate.Ruleset](&r.k.Answers, "Ruleset")
}
