// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Leftover is the name of the network that was left behind, as kubespray's
// default did in incident 004.
const Leftover = "leftover"

// ownRange is where chain.HostLocal allocates. The leftover network has others.
func ownRange() netip.Prefix { return netip.MustParsePrefix("10.88.0.0/24") }

// LeftoverList returns the leftover network as a .conflist.
func (s *Rig) LeftoverList() []byte {
	return marshal(map[string]any{"cniVersion": s.version(), "name": Leftover, "plugins": []chain.Plugin{s.leftoverBridge()}})
}

// LeftoverConf returns it as a .conf, which has one plugin.
func (s *Rig) LeftoverConf() []byte {
	return marshal(s.leftoverBridge().With("cniVersion", s.version()).With("name", Leftover))
}

func (s *Rig) leftoverBridge() chain.Plugin {
	ipam := chain.HostLocal(filepath.Join(s.site.Disk, "leftover-leases"))
	ipam.With("ranges", [][]map[string]string{{{"subnet": "10.99.0.0/24"}}})
	return chain.Bridge(ipam).With("bridge", "cni9")
}

func marshal(conf any) []byte {
	text, err := json.Marshal(conf)
	if err != nil {
		panic(err) // it is made of strings
	}
	return text
}

// SeeNetwork looks whether the pod has an address of the network that it should
// be in.
func (s *Rig) SeeNetwork(c claim.Claim, pod runtimes.Pod) {
	s.See(c, s.InOwnNetwork(pod), fmt.Sprintf("%s has %s, and the network is %s", pod.Name, pod.Address, ownRange()))
}

// InOwnNetwork reports whether the pod has an address of the network that it should be in.
func (s *Rig) InOwnNetwork(pod runtimes.Pod) bool {
	address, err := netip.ParseAddr(pod.Address)
	return err == nil && ownRange().Contains(address)
}
