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

// expectedInterface returns the interface of the sandbox as the prevResult has it, and
// the zero Interface if there is no prevResult. If the prevResult cannot be read, the
// call goes on: no check has a MAC or an address to compare then.
func expectedInterface(c config, ifName string) (checks.Interface, error) {
	if c.PrevResult == nil {
		return checks.Interface{}, nil
	}
	result, err := parseResult(c.PrevResult, c.CNIVersion)
	var want checks.Interface
	if err == nil {
		want, err = interfaceOf(result, ifName)
	}
	if err != nil {
		return checks.Interface{}, fmt.Errorf("read prevResult: %w", err)
	}
	want.Optional = want.Optional || c.Device
	return want, nil
}

// rootCause returns the innermost error of a chain.
func rootCause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// resultVersion returns the version that a result states, and "" if it states none or
// is no JSON object.
func resultVersion(raw json.RawMessage) string {
	var result struct{ CNIVersion string }
	if err := json.Unmarshal(raw, &result); err != nil {
		return ""
	}
	return result.CNIVersion
}

// A cniResult is the part of a result that a check compares (SPEC 1.1.0, "Success"). The
// library's types have more fields, and the decoder takes twice as long with them.
type cniResult struct {
	CNIVersion string
	Interfaces []struct{ Name, Mac, Sandbox, SocketPath, PciID string }
	IPs        []cniAddress
}

type cniAddress struct {
	Interface *int
	Address   string // in CIDR notation; "" if there is none
}

// parseResult reads a result in the version that it states, which need not be that
// of the list: libcni v1 passes on what it was given. One that states none, as results
// before 1.0.0 may, has the version of the list (SPEC 0.4.0, "Result").
func parseResult(raw json.RawMessage, listVersion string) (r cniResult, err error) {
	if err := json.Unmarshal(raw, &r); err != nil {
		return cniResult{}, err
	}
	switch stated := cmp.Or(r.CNIVersion, listVersion); {
	case stated == "0.1.0" || stated == "0.2.0":
		return parseOldResult(raw)
	case stated == "0.3.0" || stated == "0.3.1" || stated == "0.4.0":
	case strings.HasPrefix(stated, "1."): // a later 1.x has all of 1.1.0 (SPEC 1.1.0, "Version considerations")
	default:
		return cniResult{}, fmt.Errorf("cniVersion %q is not known to this version of cni-guard", stated)
	}
	return r, nil
}

// parseOldResult reads a result that has one address of each family, and no interface
// (SPEC 0.2.0, "Result").
func parseOldResult(raw json.RawMessage) (cniResult, error) {
	var r struct{ IP4, IP6 struct{ IP string } }
	if err := json.Unmarshal(raw, &r); err != nil {
		return cniResult{}, err
	}
	return cniResult{IPs: []cniAddress{{Address: r.IP4.IP}, {Address: r.IP6.IP}}}, nil
}

// interfaceOf returns the interface of that name in the sandbox. An address without an
// index belongs to it: older versions name no interfaces.
func interfaceOf(r cniResult, ifName string) (want checks.Interface, err error) {
	index := -1
	want.Links = nodeLinks(r)
	for i, iface := range r.Interfaces {
		if iface.Name != ifName {
			continue
		}
		// A sandbox that is no path is the ID of a virtual machine (SPEC 1.1, "Success").
		want.Optional = iface.SocketPath != "" || iface.PciID != "" || !strings.HasPrefix(iface.Sandbox, "/")
		if iface.Sandbox != "" {
			want.MAC, index = canonicalMAC(iface.Mac), i
			break
		}
	}
	for _, ip := range r.IPs {
		if ip.Address == "" || ip.Interface != nil && *ip.Interface != index {
			continue
		}
		addr, err := types.ParseCIDR(ip.Address)
		if err != nil {
			return checks.Interface{}, err
		}
		want.Addrs = append(want.Addrs, prefixOf(*addr))
	}
	return want, nil
}

// nodeLinks returns the interfaces of a result that are not in the sandbox.
func nodeLinks(r cniResult) []string {
	var links []string
	for _, iface := range r.Interfaces {
		if iface.Sandbox == "" && iface.Name != "" {
			links = append(links, iface.Name)
		}
	}
	return links
}

// canonicalMAC returns a MAC in the form of the kernel; other plugins use dashes or dots.
func canonicalMAC(mac string) string {
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

// returnPrevResult makes the result of the plugins before this one the answer, byte for
// byte. Without one, the answer is an empty result.
func (p *plugin) returnPrevResult(c config) {
	if p.answer = append(bytes.Clone(c.PrevResult), '\n'); c.PrevResult == nil {
		p.answer = emptyResult(c.CNIVersion)
	}
	p.watch.setOutput(p.answer)
}

// emptyResult returns the answer of a guard that is the first plugin of the list: a
// result without fields, in the version of the configuration.
func emptyResult(cniVersion string) []byte {
	quoted, _ := json.Marshal(cniVersion) // a string always can be
	return fmt.Appendf(nil, "{\"cniVersion\": %s}\n", quoted)
}
