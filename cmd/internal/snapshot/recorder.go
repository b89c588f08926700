// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"net/netip"
	"slices"

	"github.com/cni-guard/cni-guard/cmd/internal/redact"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A recorder is a View that records what it is asked, and the answers. Methods that
// change the namespace, and IsPeerIn, which needs an open namespace, are not recorded.
type recorder struct {
	netstate.View
	k *kernel
}

// A kernel is the recorded answers of a View.
type kernel struct {
	Answers Answers `json:"answers"`
	// Conversations are the ICMP sockets that were opened, in their order.
	Conversations []*conversation `json:"conversations"`
	// Dialed are the connections that were opened, in their order.
	Dialed []*dialed `json:"dialed"`
}

var _ netstate.View = recorder{}

// Link implements View.
func (r recorder) Link(name string) (netstate.Link, error) {
	v, err := r.View.Link(name)
	return record(&r.k.Answers, v, err, "Link", name)
}

// Links implements View.
func (r recorder) Links() ([]netstate.Link, error) {
	v, err := r.View.Links()
	return record(&r.k.Answers, v, err, "Links")
}

// LinkByIndex implements View.
func (r recorder) LinkByIndex(index int) (netstate.Link, error) {
	v, err := r.View.LinkByIndex(index)
	return record(&r.k.Answers, v, err, "LinkByIndex", index)
}

// MasterOf implements View.
func (r recorder) MasterOf(l netstate.Link) (netstate.Link, error) {
	v, err := r.View.MasterOf(l)
	return record(&r.k.Answers, v, err, "MasterOf", l.Index, l.Master)
}

// Addrs implements View.
func (r recorder) Addrs(link string) ([]netip.Prefix, error) {
	v, err := r.View.Addrs(link)
	return record(&r.k.Answers, v, err, "Addrs", link)
}

// AllAddrs implements View.
func (r recorder) AllAddrs() ([]netstate.LinkAddr, error) {
	v, err := r.View.AllAddrs()
	return record(&r.k.Answers, v, err, "AllAddrs")
}

// Routes implements View.
func (r recorder) Routes() ([]netstate.Route, error) {
	v, err := r.View.Routes()
	return record(&r.k.Answers, v, err, "Routes")
}

// Rules implements View.
func (r recorder) Rules() ([]netstate.Rule, error) {
	v, err := r.View.Rules()
	return record(&r.k.Answers, v, err, "Rules")
}

// Counter implements View.
func (r recorder) Counter(name string) (uint64, error) {
	v, err := r.View.Counter(name)
	return record(&r.k.Answers, v, err, "Counter", name)
}

// Lookup implements View.
func (r recorder) Lookup(addr netip.Addr) (netstate.Hop, error) {
	v, err := r.View.Lookup(addr)
	return record(&r.k.Answers, v, err, "Lookup", addr.String())
}

// TunnelDump implements View.
func (r recorder) TunnelDump(kinds ...string) (netstate.TunnelDump, error) {
	v, err := r.View.TunnelDump(kinds...)
	return record(&r.k.Answers, v, err, askTunnels(kinds)...)
}

func askTunnels(kinds []string) []any {
	ask := []any{"TunnelDump"}
	for _, kind := range kinds {
		ask = append(ask, kind)
	}
	return ask
}

// Flows implements View.
func (r recorder) Flows(protocol uint8) ([]netstate.Flow, error) {
	v, err := r.View.Flows(protocol)
	return record(&r.k.Answers, v, err, "Flows", protocol)
}

// BoundUDP implements View.
func (r recorder) BoundUDP(port uint16) (bool, error) {
	v, err := r.View.BoundUDP(port)
	return record(&r.k.Answers, v, err, "BoundUDP", port)
}

// Forwards4 implements View. The sysctl is recorded, which a bundle has for every reader.
func (r recorder) Forwards4(link netstate.Link) (bool, error) {
	return netstate.SysctlReader(r.Sysctl).Forwards4(link)
}

// Forwards6 implements View, as Forwards4 does.
func (r recorder) Forwards6() (bool, error) { return netstate.SysctlReader(r.Sysctl).Forwards6() }

// Sysctl implements View.
func (r recorder) Sysctl(name string) (string, error) {
	v, err := r.View.Sysctl(name)
	return record(&r.k.Answers, v, err, "Sysctl", name)
}

// Bridge implements View.
func (r recorder) Bridge(name string) (netstate.Bridge, error) {
	v, err := r.View.Bridge(name)
	return record(&r.k.Answers, v, err, "Bridge", name)
}

// NFTChain implements View.
func (r recorder) NFTChain(c netstate.Chain) (bool, error) {
	v, err := r.View.NFTChain(c)
	return record(&r.k.Answers, v, err, "NFTChain", c.Six, c.Table, c.Name)
}

// LegacyChain implements View.
func (r recorder) LegacyChain(c netstate.Chain) (bool, error) {
	v, err := r.View.LegacyChain(c)
	return record(&r.k.Answers, v, err, "LegacyChain", c.Six, c.Table, c.Name)
}

// Ruleset implements View. The rules are read in any case: a recording must have them.
func (r recorder) Ruleset(*netstate.Ruleset) (*netstate.Ruleset, error) {
	v, err := r.View.Ruleset(nil)
	_, _ = record(&r.k.Answers, withoutSecrets(v), err, "Ruleset")
	return v, err
}

// withoutSecrets returns a ruleset with comments that have no secrets.
func withoutSecrets(set *netstate.Ruleset) *netstate.Ruleset {
	if set == nil {
		return nil
	}
	secrets, safe := redact.New(), *set
	safe.Chains = slices.Clone(set.Chains)
	for i := range safe.Chains {
		safe.Chains[i].Rules = slices.Clone(set.Chains[i].Rules)
		for j := range safe.Chains[i].Rules {
			rule := &safe.Chains[i].Rules[j]
			rule.Comment = secrets.Value("", rule.Comment)
		}
	}
	return &safe
}
