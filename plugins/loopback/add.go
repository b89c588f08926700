// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// add answers ADD. It sets lo up, and returns it as the result, or the result of a plugin
// before it.
func (p *plugin) add(args *skel.CmdArgs) error {
	conf, err := parseConf(args.StdinData)
	if err != nil {
		return err
	}
	sandbox, err := openSandbox(args)
	if err != nil {
		return err
	}
	if err := sandbox.SetUp("lo"); err != nil {
		return err
	}
	addrs, err := sandbox.Addrs("lo")
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if !a.Addr().IsLoopback() {
			return types.NewError(codeRefused, fmt.Sprintf("lo of the sandbox has %s, which is not a loopback address", a.Addr()),
				"The kernel does not assign this address: the sandbox may not be a new one. Delete the pod, so that the runtime creates a new sandbox.")
		}
	}
	answer := conf.PrevResult
	if answer == nil {
		answer = result(conf.CNIVersion, args.Netns, addrs)
	}
	if answer, err = answer.GetAsVersion(conf.CNIVersion); err != nil {
		return fmt.Errorf("loopback: convert result: %w", err)
	}
	return answer.PrintTo(&p.answer)
}

// codeRefused is the first of the codes that the CNI spec leaves to plugins.
const codeRefused = 100

func parseConf(stdin []byte) (*types.PluginConf, error) {
	conf := new(types.PluginConf)
	if err := json.Unmarshal(stdin, conf); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "loopback: read configuration: "+err.Error(), "")
	}
	if err := version.ParsePrevResult(conf); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "loopback: read prevResult: "+err.Error(), "")
	}
	return conf, nil
}

// openSandbox opens CNI_NETNS once, and refuses everything but the namespace of a pod.
func openSandbox(args *skel.CmdArgs) (*netstate.Live, error) {
	netns := netstate.OpenNetns(args.Netns)
	switch {
	case netns.Kind == netstate.Sandbox, netns.Kind == netstate.Node && overrides(args.NetnsOverride):
		return netns.View()
	case netns.Kind == netstate.Node:
		return nil, types.NewError(types.ErrInvalidNetNS, "loopback: "+args.Netns+" is the network namespace of the node itself",
			"Nothing was changed. Delete the pod, so that the runtime creates a new sandbox.")
	case netns.Kind == netstate.Missing:
		return nil, types.NewError(types.ErrInvalidNetNS, "loopback: "+args.Netns+" does not exist", "Delete the pod, so that the runtime creates a new sandbox.")
	case netns.Kind == netstate.NotNetns:
		return nil, types.NewError(types.ErrInvalidNetNS, "loopback: "+args.Netns+" "+netns.What, "Delete the pod, so that the runtime creates a new sandbox.")
	}
	return nil, fmt.Errorf("loopback: %w", netns.Err)
}

// result returns lo with one address of each family, as runtimes expect it from this
// plugin.
func result(cniVersion, sandbox string, addrs []netip.Prefix) types.Result {
	r := &current.Result{
		CNIVersion: cniVersion,
		Interfaces: []*current.Interface{{Name: "lo", Mac: "00:00:00:00:00:00", Sandbox: sandbox}},
	}
	for _, is := range []func(netip.Addr) bool{netip.Addr.Is4, netip.Addr.Is6} {
		for _, a := range addrs {
			if is(a.Addr()) {
				r.IPs = append(r.IPs, &current.IPConfig{Interface: current.Int(0), Address: ipNet(a)})
				break
			}
		}
	}
	return r
}

func ipNet(p netip.Prefix) net.IPNet {
	return net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
