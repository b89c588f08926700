// SPDX-License-Identifier: Apache-2.0

package netstate

import "net/netip"

// Unreadable is a View that answers everything with one error. It stands where
// a namespace could not be opened, so that a probe gets an error, which makes
// its answer an unknown, and never a nil View.
type Unreadable struct{ Err error }

var _ View = Unreadable{}

// Link implements View.
func (u Unreadable) Link(string) (Link, error) { return Link{}, u.Err }

// Links implements View.
func (u Unreadable) Links() ([]Link, error) { return nil, u.Err }

// Addrs implements View.
func (u Unreadable) Addrs(string) ([]netip.Prefix, error) { return nil, u.Err }

// Routes implements View.
func (u Unreadable) Routes() ([]Route, error) { return nil, u.Err }

// TunnelDump implements View.
func (u Unreadable) TunnelDump(...string) (TunnelDump, error) { return TunnelDump{}, u.Err }

// Flows implements View.
func (u Unreadable) Flows(uint8) ([]Flow, error) { return nil, u.Err }

// Sysctl implements View.
func (u Unreadable) Sysctl(string) (string, error) { return "", u.Err }

// ListenICMP implements View.
func (u Unreadable) ListenICMP(bool) (ICMPConn, error) { return nil, u.Err }

// LinkByIndex implements View.
func (u Unreadable) LinkByIndex(int) (Link, error) { return Link{}, u.Err }

// Bridge implements View.
func (u Unreadable) Bridge(string) (Bridge, error) { return Bridge{}, u.Err }

// AddPort implements View.
func (u Unreadable) AddPort(string, string, bool) error { return u.Err }

// SetBridgeNetfilter implements View.
func (u Unreadable) SetBridgeNetfilter(string, bool) error { return u.Err }

// NFTChain implements View.
func (u Unreadable) NFTChain(Chain) (bool, error) { return false, u.Err }

// LegacyChain implements View.
func (u Unreadable) LegacyChain(Chain) (bool, error) { return false, u.Err }

// SetUp implements View.
func (u Unreadable) SetUp(string) error { return u.Err }

// AddAddr implements View.
func (u Unreadable) AddAddr(string, netip.Prefix) error { return u.Err }

// SetSysctl implements View.
func (u Unreadable) SetSysctl(string, string) error { return u.Err }

// Lookup implements View.
func (u Unreadable) Lookup(netip.Addr) (Hop, error) { return Hop{}, u.Err }

// AllAddrs implements View.
func (u Unreadable) AllAddrs() ([]LinkAddr, error) { return nil, u.Err }

// Rules implements View.
func (u Unreadable) Rules() ([]Rule, error) { return nil, u.Err }

// Counter implements View.
func (u Unreadable) Counter(string) (uint64, error) { return 0, u.Err }
