// SPDX-License-Identifier: Apache-2.0

package attachment

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// hostInterfaces returns the interfaces on the node that the result names and that
// only this pod uses. An interface with the name of the pod's interface and no MAC is
// the one in the pod, in the result of a plugin that leaves the sandbox out, such as
// cni-kindnet.
func (e *evidence) hostInterfaces() []cachedInterface {
	var found []cachedInterface
	for _, i := range e.info.entry.interfaces {
		own := i.Name == e.info.Attachment.IfName && i.MAC == ""
		if i.Sandbox == "" && i.Name != "" && !own && !slices.Contains(e.info.entry.bridges, i.Name) {
			found = append(found, i)
		}
	}
	return found
}

// checkVeths checks the host veths of the pod.
func (e *evidence) checkVeths(visible *namespaces) {
	interfaces := e.hostInterfaces()
	if len(interfaces) == 0 {
		return
	}
	node, err := netstate.OpenNode()
	if err != nil {
		e.unclear = true
		e.note("the node's interfaces cannot be read: %v", err)
		return
	}
	defer node.Close()
	for _, i := range interfaces {
		e.checkVeth(node, visible, i)
	}
}

func (e *evidence) checkVeth(node *netstate.Live, visible *namespaces, i cachedInterface) {
	link, err := node.Link(i.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.checkMissingVeth(node, visible, i)
		return
	case err != nil:
		e.unclear = true
		e.note("interface %s cannot be read: %v", i.Name, err)
		return
	case link.Kind != "veth":
		e.note("interface %s of the node is not a veth", i.Name)
		return
	}
	peer, err := node.VethPeer(i.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.goneVeths++
		e.noteGone("%s, the pod's host veth, is gone", i.Name)
		return
	case err != nil:
		e.unclear = true
		e.note("the peer of %s cannot be read: %v", i.Name, err)
		return
	case !peer.Away:
		e.goneVeths++
		e.noteGone("the peer of %s is on the node itself, in no pod", i.Name)
		return
	}
	e.checkPeer(node, visible, i, peer, strings.EqualFold(link.MAC.String(), i.MAC))
}

// checkMissingVeth judges a host veth whose name no interface has. It may have been
// renamed, or this namespace is not the node's, as in a privileged pod without
// hostNetwork.
func (e *evidence) checkMissingVeth(node *netstate.Live, visible *namespaces, i cachedInterface) {
	if !e.isNode(node) {
		e.unclear = true
		e.note("%s does not exist here, but this network namespace is not pid 1's and has no bridge of the pod's network; to enter the node's: nsenter -t 1 -n", i.Name)
		return
	}
	links, err := node.Links()
	if err != nil {
		e.unclear = true
		e.note("whether %s was renamed is unknown: %v", i.Name, err)
		return
	}
	for _, link := range links {
		if i.MAC != "" && link.Kind == "veth" && link.Name != i.Name && strings.EqualFold(link.MAC.String(), i.MAC) {
			e.note("%s has the MAC that %s had", link.Name, i.Name)
			e.checkVeth(node, visible, cachedInterface{Name: link.Name, MAC: i.MAC})
			return
		}
	}
	e.checkAllAddresses(visible)
	e.goneVeths++
	e.noteGone("%s, the pod's host veth, is gone", i.Name)
}

// isNode reports whether this process is in the network namespace to which the pod was
// attached: pid 1's, or one with a bridge of the result.
func (e *evidence) isNode(node *netstate.Live) bool {
	own, ownErr := os.Stat("/proc/thread-self/ns/net")
	first, firstErr := os.Stat("/proc/1/ns/net")
	if ownErr == nil && firstErr == nil && os.SameFile(own, first) {
		return true
	}
	return slices.ContainsFunc(e.info.entry.interfaces, func(i cachedInterface) bool {
		if i.Sandbox != "" || !slices.Contains(e.info.entry.bridges, i.Name) {
			return false
		}
		link, err := node.Link(i.Name)
		return err == nil && link.Kind == "bridge"
	})
}

// checkAllAddresses looks for the pod's address in all visible namespaces if no cookie
// identifies the pod's. The next sandbox of a pod with a fixed address has the same
// address with another MAC.
func (e *evidence) checkAllAddresses(visible *namespaces) {
	if e.cookie() != 0 || e.info.isOfEarlierBoot() {
		return
	}
	for _, n := range visible.all {
		if has, err := e.hasPodAddress(n.netns); err != nil || !has {
			continue
		}
		if mac := e.info.entry.podMAC(e.info.Attachment.IfName); mac != "" && !hasMAC(n.netns, e.info.Attachment.IfName, mac) {
			e.unclear = true
			e.note("%s, and %s has the pod's address there with another MAC", n.usedBy, e.info.Attachment.IfName)
			continue
		}
		e.alive = true
		e.noteAlive("%s has the pod's address in an existing namespace: %s", e.info.Attachment.IfName, n.usedBy)
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

// calicoMAC is the MAC of every host veth of Calico (projectcalico/calico,
// cni-plugin/pkg/dataplane/linux). The next sandbox of a pod has a host veth of the same name.
const calicoMAC = "ee:ee:ee:ee:ee:ee"

// checkPeer judges the namespace of the veth's peer or, if that is not visible, the
// MAC. A different MAC proves nothing: udev changes the MACs of veths.
func (e *evidence) checkPeer(node *netstate.Live, visible *namespaces, i cachedInterface, peer netstate.Peer, sameMAC bool) {
	origin := "the peer of " + i.Name
	if n := visible.withNetID(node, peer.NetID); n != nil {
		switch anothers := e.isAnothers(n.netns, origin+" ("+n.usedBy+")"); {
		case !anothers:
		case e.cookie() == 0 && sameMAC && !strings.EqualFold(i.MAC, calicoMAC): // the pod may have changed its address
			e.unclear = true
			e.note("%s has the MAC that ADD reported", i.Name)
		default:
			e.goneVeths++
		}
		return
	}
	if i.MAC != "" && sameMAC {
		e.vethAlive = true
		e.noteAlive("%s is in another namespace, and %s has the MAC that ADD reported", origin, i.Name)
		return
	}
	e.unclear = true
	e.note("%s is in another namespace of unknown owner", origin)
}
