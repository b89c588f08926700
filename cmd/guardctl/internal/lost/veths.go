// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// hostInterfaces gives the interfaces on the node that the result names for the
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
		s.gone++
		s.sayGone("%s, the node's end of the pod's veth, is gone", i.Name)
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

// lookAtPeer judges the namespace that the veth leads to, if it can be found, and
// else goes by the MAC. Another MAC proves nothing: udev changes those of veths.
func (s *sight) lookAtPeer(node *netstate.Live, spaces *spaces, i cachedInterface, peer netstate.Peer, sameMAC bool) {
	what := "the peer of " + i.Name
	if at := spaces.withNetID(node, peer.NetID); at != nil {
		if s.lookInside(at.netns, what+" ("+at.where+")") {
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
