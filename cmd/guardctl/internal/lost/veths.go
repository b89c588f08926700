// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// hostInterfaces returns the interfaces on the node that the result names for the
// pod alone. One with the name of the interface in the pod and no MAC is the
// pod's own, by a plugin that left the sandbox out, such as cni-kindnet.
func (s *sight) hostInterfaces() []cachedInterface {
	var found []cachedInterface
	for _, i := range s.k.entry.Interfaces {
		own := i.Name == s.k.Attachment.IfName && i.MAC == ""
		if i.Sandbox == "" && i.Name != "" && !own && !slices.Contains(s.k.entry.Bridges, i.Name) {
			found = append(found, i)
		}
	}
	return found
}

// lookAtVeths looks at the node's ends of the pod's veths.
func (s *sight) lookAtVeths(spaces *spaces) {
	interfaces := s.hostInterfaces()
	if len(interfaces) == 0 {
		return
	}
	node, err := netstate.OpenNode()
	if err != nil {
		s.vague = true
		s.say("the node's interfaces cannot be read: %v", err)
		return
	}
	defer node.Close()
	for _, i := range interfaces {
		s.lookAtVeth(node, spaces, i)
	}
}

func (s *sight) lookAtVeth(node *netstate.Live, spaces *spaces, i cachedInterface) {
	link, err := node.Link(i.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.missVeth(node, spaces, i)
		return
	case err != nil:
		s.vague = true
		s.say("interface %s cannot be read: %v", i.Name, err)
		return
	case link.Kind != "veth":
		s.say("interface %s of the node is no veth", i.Name)
		return
	}
	peer, err := node.VethPeer(i.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.gone++
		s.sayGone("%s, the node's end of the pod's veth, is gone", i.Name)
		return
	case err != nil:
		s.vague = true
		s.say("the peer of %s cannot be read: %v", i.Name, err)
		return
	case !peer.Away:
		s.gone++
		s.sayGone("the peer of %s is on the node itself, in no pod", i.Name)
		return
	}
	s.lookAtPeer(node, spaces, i, peer, strings.EqualFold(link.MAC.String(), i.MAC))
}

// missVeth judges a veth that no interface has the name of. It may have been renamed,
// or this namespace is not the node's, as in a privileged pod without hostNetwork.
func (s *sight) missVeth(node *netstate.Live, spaces *spaces, i cachedInterface) {
	if !s.isNode(node) {
		s.vague = true
		s.say("%s is not here, but this network namespace is neither that of pid 1 nor has it a bridge of the pod's network (nsenter -t 1 -n enters the node's)", i.Name)
		return
	}
	links, err := node.Links()
	if err != nil {
		s.vague = true
		s.say("whether %s was renamed cannot be told: %v", i.Name, err)
		return
	}
	for _, link := range links {
		if i.MAC != "" && link.Kind == "veth" && link.Name != i.Name && strings.EqualFold(link.MAC.String(), i.MAC) {
			s.say("%s has the MAC that %s had", link.Name, i.Name)
			s.lookAtVeth(node, spaces, cachedInterface{Name: link.Name, MAC: i.MAC})
			return
		}
	}
	s.lookForAddress(spaces)
	s.gone++
	s.sayGone("%s, the node's end of the pod's veth, is gone", i.Name)
}

// isNode reports whether this process is in the network namespace that the pod was
// attached to: pid 1's, or one that has a bridge of the result.
func (s *sight) isNode(node *netstate.Live) bool {
	own, ownErr := os.Stat("/proc/thread-self/ns/net")
	first, firstErr := os.Stat("/proc/1/ns/net")
	if ownErr == nil && firstErr == nil && os.SameFile(own, first) {
		return true
	}
	return slices.ContainsFunc(s.k.entry.Interfaces, func(i cachedInterface) bool {
		if i.Sandbox != "" || !slices.Contains(s.k.entry.Bridges, i.Name) {
			return false
		}
		link, err := node.Link(i.Name)
		return err == nil && link.Kind == "bridge"
	})
}

// lookForAddress looks for the pod's address in all namespaces that can be seen, if no
// cookie tells which one is the pod's. The next sandbox of a pod with a fixed address
// has it too, with another MAC.
func (s *sight) lookForAddress(spaces *spaces) {
	if s.cookie() != 0 || s.k.earlier() {
		return
	}
	for _, at := range spaces.all {
		if has, err := s.hasAddress(at.netns); err != nil || !has {
			continue
		}
		if mac := s.k.entry.podMAC(s.k.Attachment.IfName); mac != "" && !hasMAC(at.netns, s.k.Attachment.IfName, mac) {
			s.vague = true
			s.say("%s, and %s has the pod's address there, with another MAC", at.where, s.k.Attachment.IfName)
			continue
		}
		s.alive = true
		s.sayAlive("%s has the pod's address in a namespace that lives: %s", s.k.Attachment.IfName, at.where)
	}
}

func hasMAC(n *netstate.Netns, ifName, mac string) bool {
	view, err := n.View()
	if err != nil {
		return false
	}
	defer view.Close()
	link, err := view.Link(ifName)
	return err == nil && strings.EqualFold(link.MAC.String(), mac)
}

// calicoMAC is the MAC of the node's end of all veths of Calico (projectcalico/calico,
// cni-plugin/pkg/dataplane/linux), whose names are the same for the next sandbox of a pod.
const calicoMAC = "ee:ee:ee:ee:ee:ee"

// lookAtPeer judges the namespace that the veth leads to, if it can be found, and
// else goes by the MAC. Another MAC proves nothing: udev changes those of veths.
func (s *sight) lookAtPeer(node *netstate.Live, spaces *spaces, i cachedInterface, peer netstate.Peer, sameMAC bool) {
	what := "the peer of " + i.Name
	if at := spaces.withNetID(node, peer.NetID); at != nil {
		switch anothers := s.lookInside(at.netns, what+" ("+at.where+")"); {
		case !anothers:
		case s.cookie() == 0 && sameMAC && !strings.EqualFold(i.MAC, calicoMAC): // the pod may have another address now
			s.vague = true
			s.say("%s has the MAC that ADD gave", i.Name)
		default:
			s.gone++
		}
		return
	}
	if i.MAC != "" && sameMAC {
		s.veth = true
		s.sayAlive("%s is in a living namespace, and %s has the MAC that ADD gave", what, i.Name)
		return
	}
	s.vague = true
	s.say("%s is in a living namespace, and nothing tells whose it is", what)
}
