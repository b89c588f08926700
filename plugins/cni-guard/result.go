// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	types020 "github.com/containernetworking/cni/pkg/types/020"
	types040 "github.com/containernetworking/cni/pkg/types/040"
	current "github.com/containernetworking/cni/pkg/types/100"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// wanted returns what the prevResult says of an interface in the sandbox, and
// nothing where there is no prevResult. An error says that the result cannot be
// read: it is then handed on as it came, and no check has a MAC or an address to
// compare.
func wanted(c config, ifName string) (checks.Interface, error) {
	if c.PrevResult == nil {
		return checks.Interface{}, nil
	}
	result, err := parseResult(c.PrevResult, c.CNIVersion)
	if err != nil {
		return checks.Interface{}, fmt.Errorf("read prevResult: %w", err)
	}
	want := interfaceOf(result, ifName)
	want.Optional = want.Optional || c.Device
	return want, nil
}

// rootOf returns the innermost error of a chain.
func rootOf(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// resultVersion returns the version that a result states, and "" where it states
// none or is no JSON object.
func resultVersion(raw json.RawMessage) string {
	var result struct{ CNIVersion string }
	if err := json.Unmarshal(raw, &result); err != nil {
		return ""
	}
	return result.CNIVersion
}

// parseResult converts a result to the newest form. A result is read in the
// version that it states, which need not be that of the list: libcni v1 hands on
// what it was given. One that states none, as results before 1.0.0 may, is of the
// list's version (SPEC 0.4.0, "Result").
func parseResult(raw json.RawMessage, listVersion string) (result *current.Result, err error) {
	// The library panics when it converts a null among the addresses.
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("convert result: %v", cause)
		}
	}()
	var peek struct{ CNIVersion string }
	if err := json.Unmarshal(raw, &peek); err != nil {
		return nil, err
	}
	stated := cmp.Or(peek.CNIVersion, listVersion)
	switch {
	case stated == "0.1.0" || stated == "0.2.0":
		return convert(raw, new(types020.Result), func(r *types020.Result) { r.CNIVersion = stated })
	case stated == "0.3.0" || stated == "0.3.1" || stated == "0.4.0":
		return convert(raw, new(types040.Result), func(r *types040.Result) { r.CNIVersion = stated })
	case strings.HasPrefix(stated, "1."):
		// Versions of one major number are compatible (SPEC 1.1.0, "Version
		// considerations"): a later 1.x has all of 1.1.0.
		result = new(current.Result)
		return result, json.Unmarshal(raw, result)
	}
	return nil, fmt.Errorf("cniVersion %q is not known to this version of cni-guard", stated)
}

// convert decodes a result and converts it to the newest form. The version must
// be set, as the converters go by it.
func convert[R any, P interface {
	*R
	types.Result
}](raw json.RawMessage, into P, setVersion func(P)) (*current.Result, error) {
	if err := json.Unmarshal(raw, into); err != nil {
		return nil, err
	}
	setVersion(into)
	return current.NewResultFromResult(into)
}

// interfaceOf picks the interface by name among those in a sandbox. An address
// without an index belongs to it: older versions name no interfaces at all.
func interfaceOf(r *current.Result, ifName string) checks.Interface {
	var want checks.Interface
	index := -1
	want.Links = nodeLinks(r)
	for i, iface := range r.Interfaces {
		if iface == nil || iface.Name != ifName {
			continue
		}
		// A sandbox that is no path is the ID of a virtual machine (SPEC 1.1, "Success").
		want.Optional = iface.SocketPath != "" || iface.PciID != "" || !strings.HasPrefix(iface.Sandbox, "/")
		if iface.Sandbox != "" {
			want.MAC, index = spelled(iface.Mac), i
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

// nodeLinks returns the interfaces that a result names outside the sandbox.
func nodeLinks(r *current.Result) []string {
	var links []string
	for _, iface := range r.Interfaces {
		if iface != nil && iface.Sandbox == "" && iface.Name != "" {
			links = append(links, iface.Name)
		}
	}
	return links
}

// spelled returns a MAC as the kernel's are printed; other plugins use dashes or dots.
func spelled(mac string) string {
	if parsed, err := net.ParseMAC(mac); err == nil {
		return parsed.String()
	}
	return mac
}

func prefixOf(n net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if addr.Is4In6() && bits == 128 { // ::ffff:10.1.0.5/120
		ones -= 96
	}
	return netip.PrefixFrom(addr.Unmap(), ones)
}

// handOn makes the result of the plugins before this one the answer, byte for
// byte. Where there is none, the answer says nothing.
func (p *plugin) handOn(c config) {
	if p.answer = append(bytes.Clone(c.PrevResult), '\n'); c.PrevResult == nil {
		p.answer = emptyResult(c.CNIVersion)
	}
	p.watch.prints(p.answer)
}

// emptyResult is the answer of a guard that stands first in the list: it says
// nothing, in the version of the configuration.
func emptyResult(cniVersion string) []byte {
	quoted, _ := json.Marshal(cniVersion) // a string always can be
	return fmt.Appendf(nil, "{\"cniVersion\": %s}\n", quoted)
}
