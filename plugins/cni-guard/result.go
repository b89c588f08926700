// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// wanted gives what a prevResult says of an interface in the sandbox; nothing
// where there is no prevResult.
func wanted(c config, ifName string) (checks.Interface, *types.Error) {
	if c.PrevResult == nil {
		return checks.Interface{}, nil
	}
	result, err := parseResult(c)
	if err != nil {
		return checks.Interface{}, types.NewError(types.ErrDecodingFailure,
			"cni-guard: read prevResult: "+err.Error(), "The plugin before cni-guard in the conflist of network "+c.Network+" gave this result.")
	}
	want := interfaceOf(result, ifName)
	want.Optional = want.Optional || c.Device
	return want, nil
}

// parseResult converts the result to the newest form. The library panics on a
// null among the addresses, which is an error like any other here.
func parseResult(c config) (result *current.Result, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("convert result: %v", cause)
		}
	}()
	var peek struct{ CNIVersion string }
	if err := json.Unmarshal(c.PrevResult, &peek); err != nil {
		return nil, err
	}
	if peek.CNIVersion != "" {
		typed, err := version.NewResult(c.CNIVersion, c.PrevResult)
		if err != nil {
			return nil, err
		}
		return current.NewResultFromResult(typed)
	}
	// Results older than 1.0.0 need not name it; the library fills it in, at the
	// cost of taking the result apart and putting it together again.
	conf := types.PluginConf{CNIVersion: c.CNIVersion}
	if err := json.Unmarshal(c.PrevResult, &conf.RawPrevResult); err != nil {
		return nil, err
	}
	if err := version.ParsePrevResult(&conf); err != nil {
		return nil, err
	}
	return current.NewResultFromResult(conf.PrevResult)
}

// interfaceOf picks the interface by name among those in a sandbox. An address
// without an index belongs to it: older versions name no interfaces at all.
func interfaceOf(r *current.Result, ifName string) checks.Interface {
	var want checks.Interface
	index := -1
	for i, iface := range r.Interfaces {
		if iface == nil || iface.Name != ifName {
			continue
		}
		// A sandbox that is no path is the ID of a virtual machine (SPEC 1.1, "Success").
		want.Optional = iface.SocketPath != "" || iface.PciID != "" || !strings.HasPrefix(iface.Sandbox, "/")
		if iface.Sandbox != "" {
			want.MAC, index = iface.Mac, i
			break
		}
	}
	for _, ip := range r.IPs {
		if ip == nil || ip.Interface != nil && *ip.Interface != index {
			continue
		}
		if addr := prefixOf(ip.Address); addr.IsValid() { // a result may give none at all
			want.Addrs = append(want.Addrs, addr)
		}
	}
	return want
}

func prefixOf(n net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones)
}

// emptyResult is the answer of a guard that stands first in the list: it says
// nothing, in the version of the configuration.
func emptyResult(cniVersion string) []byte {
	return fmt.Appendf(nil, "{\"cniVersion\": %q}\n", cniVersion)
}
