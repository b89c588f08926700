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

// A cniResult is the part of a result that a check compares, in the form of all
// versions: addresses are in IPs since 0.3.0 (SPEC 1.1.0, "Success"), before that in IP4
// and IP6 (SPEC 0.2.0, "Result"). The library's types have more fields, and with them
// the decoder takes twice as long.
type cniResult struct {
	CNIVersion string
	Interfaces []cniInterface
	IPs        []cniAddress
	IP4, IP6   struct{ IP types.IPNet }
}

type cniInterface struct{ Name, Mac, Sandbox, SocketPath, PciID string }

type cniAddress struct {
	Interface *int
	Address   types.IPNet // the zero IPNet if there is none
}

// parseResult reads a result in the version that it states, which need not be that
// of the list: libcni v1 hands on what it was given. One that states none, as results
// before 1.0.0 may, is of the list's version (SPEC 0.4.0, "Result").
func parseResult(raw json.RawMessage, listVersion string) (r cniResult, err error) {
	if err := json.Unmarshal(raw, &r); err != nil {
		return cniResult{}, err
	}
	switch stated := cmp.Or(r.CNIVersion, listVersion); {
	case stated == "0.1.0" || stated == "0.2.0":
		return cniResult{IPs: []cniAddress{{Address: r.IP4.IP}, {Address: r.IP6.IP}}}, nil
	case stated == "0.3.0" || stated == "0.3.1" || stated == "0.4.0":
	case strings.HasPrefix(stated, "1."): // a later 1.x has all of 1.1.0 (SPEC 1.1.0, "Version considerations")
	default:
		return cniResult{}, fmt.Errorf("cniVersion %q is not known to this version of cni-guard", stated)
	}
	return r, nil
}

// interfaceOf picks the interface by name among those in a sandbox. An address
// without an index belongs to it: older versions name no interfaces at all.
func interfaceOf(r cniResult, ifName string) checks.Interface {
	var want checks.Interface
	index := -1
	want.Links = nodeLinks(r)
	for i, iface := range r.Interfaces {
		if iface.Name != ifName {
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
		if ip.Interface != nil && *ip.Interface != index {
			continue
		}
		if addr := prefixOf(net.IPNet(ip.Address)); addr.IsValid() { // a result may give none at all
			want.Addrs = append(want.Addrs, addr)
		}
	}
	return want
}

// nodeLinks returns the interfaces that a result names outside the sandbox.
func nodeLinks(r cniResult) []string {
	var links []string
	for _, iface := range r.Interfaces {
		if iface.Sandbox == "" && iface.Name != "" {
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
