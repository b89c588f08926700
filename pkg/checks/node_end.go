// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A nodeEnd is the node's end of the veth, or netkit, of an attachment: the
// interface by which the pod's packets enter the node.
type nodeEnd struct {
	netstate.Link
	master netstate.Link // what it is a port of; zero where it is of nothing
	pod    string        // the attachment, for people
	want   Interface     // what the result says of it
}

// named reports whether the result names an interface.
func (e nodeEnd) named(link string) bool { return slices.Contains(e.want.Links, link) }

// has reports whether the pod has an address of the family.
func (e nodeEnd) has(six bool) bool {
	return slices.ContainsFunc(e.want.Addrs, func(p netip.Prefix) bool { return p.Addr().Unmap().Is6() == six })
}

// families returns the families of the pod's addresses, as "is IPv6".
func (e nodeEnd) families() []bool {
	var all []bool
	for _, six := range []bool{false, true} {
		if e.has(six) {
			all = append(all, six)
		}
	}
	return all
}

// podLink returns the pod's interface, which is looked up once for all checks of a
// call: none of them changes it.
func (t *Target) podLink() (netstate.Link, error) {
	if link := t.link.Load(); link != nil {
		return *link, nil
	}
	link, err := t.Pod.Link(t.IfName)
	if err == nil {
		t.link.Store(&link)
	}
	return link, err
}

// nodeEnd returns the node's end of the pod's interface, which is looked up once
// for all checks of a run. The error is guard.Skip's where the interface has none.
// Beside the pod's interface it costs one question to the kernel, two ioctls for a port,
// and two more questions where the result does not name it.
func (t *Target) nodeEnd() (nodeEnd, error) {
	if end := t.end.Load(); end != nil {
		return *end, nil
	}
	end, err := t.findNodeEnd()
	if err == nil {
		t.end.Store(&end)
	}
	return end, err
}

func (t *Target) findNodeEnd() (nodeEnd, error) {
	if t.Override {
		return nodeEnd{}, guard.Skip("the call means the namespace of the node (CNI_NETNS_OVERRIDE)")
	}
	pod, err := t.podLink()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nodeEnd{}, guard.Skip("the pod has no interface " + t.IfName)
	case err != nil:
		return nodeEnd{}, err
	case !hasPeer(pod.Kind):
		return nodeEnd{}, guard.Skip(fmt.Sprintf("%s of the pod is %s, whose packets the node neither routes nor bridges", t.IfName, kindWords(pod.Kind)))
	}
	link, err := t.Node.LinkByIndex(pod.Peer)
	// An index counts in the namespace of the other end, which need not be the node's.
	elsewhere := errors.Is(err, fs.ErrNotExist) || err == nil && (link.Kind != pod.Kind || link.Peer != pod.Index)
	if err == nil && !elsewhere && !slices.Contains(t.Want.Links, link.Name) {
		// The link may be that of another pod whose interface has the same index.
		var isPair bool
		isPair, err = t.Node.IsPeerIn(link.Index, t.Netns)
		elsewhere = err == nil && !isPair
	}
	if elsewhere {
		return nodeEnd{}, guard.Skip(fmt.Sprintf("the other end of %s of the pod is not in the node's namespace", t.IfName))
	}
	if err != nil {
		return nodeEnd{}, err
	}
	return t.withMaster(nodeEnd{Link: link, pod: "pod/" + t.IfName, want: t.Want})
}

// hasPeer reports whether a link of the kind has another end.
func hasPeer(kind string) bool { return kind == "veth" || kind == "netkit" }

// kindWords names a kind of link for people.
func kindWords(kind string) string {
	if kind == "" {
		return "a device of its own"
	}
	return "of kind " + kind
}

// withMaster fills in what the end is a port of.
func (t *Target) withMaster(end nodeEnd) (nodeEnd, error) {
	if end.Master == 0 {
		return end, nil
	}
	var err error
	end.master, err = t.Node.MasterOf(end.Link)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("look up what %s is a port of: it changes: %w", end.Name, err)
	}
	return end, err
}

// noRecords says that there is nothing to judge by, unless the node cannot be read.
func (t *Target) noRecords() error {
	if _, err := t.Node.Link("lo"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return guard.Skip("no pod on record has an interface on this node")
}

// nodeEnds returns the node's ends that a check judges: that of the pod or, at a
// stage without a pod, those of the attachments on record that are there. The error
// is guard.Skip's where there is none. Without a pod the cost grows with the records.
func (t *Target) nodeEnds(ctx context.Context) ([]nodeEnd, error) {
	if t.Netns != nil {
		end, err := t.nodeEnd()
		if err != nil {
			return nil, err
		}
		return []nodeEnd{end}, nil
	}
	return t.recordedEnds(ctx)
}

func (t *Target) recordedEnds(ctx context.Context) ([]nodeEnd, error) {
	if t.Attached == nil {
		return nil, t.noRecords()
	}
	attached, err := t.Attached(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what ADD recorded: %w", err)
	}
	var ends []nodeEnd
	for _, a := range attached {
		for _, name := range a.Links {
			if name == a.IfName {
				continue // kindnet names the pod's own interface without a sandbox
			}
			link, err := t.Node.Link(name)
			if errors.Is(err, fs.ErrNotExist) || err == nil && !hasPeer(link.Kind) {
				continue // the pod is gone, or it is the bridge
			}
			if err != nil {
				return nil, err
			}
			end, err := t.withMaster(nodeEnd{Link: link, pod: a.Pod, want: a.Interface})
			if err != nil {
				return nil, err
			}
			ends = append(ends, end)
		}
	}
	if len(ends) == 0 {
		return nil, t.noRecords()
	}
	return ends, nil
}

// routedBy reports whether the node is the router of a pod behind a bridge: the pod's
// default route leads to an address of the bridge. A second network of a pod has
// another bridge than its default route. Without a pod to ask, an address of the
// bridge in the pod's subnet is enough.
func (t *Target) routedBy(end nodeEnd, bridge string, six bool) (bool, error) {
	has, err := t.Node.Addrs(bridge)
	if err != nil {
		return false, err
	}
	if t.Netns == nil {
		return slices.ContainsFunc(end.want.Addrs, func(pod netip.Prefix) bool {
			return pod.Addr().Unmap().Is6() == six && slices.ContainsFunc(has, func(p netip.Prefix) bool { return p.Contains(pod.Addr().Unmap()) })
		}), nil
	}
	hop, err := lookup(t.Pod, nowhere(six))
	if err != nil {
		return false, err
	}
	return hop.Gateway.IsValid() && holds(has, hop.Gateway), nil
}

// nowhere is an address of a family that no host has.
func nowhere(six bool) netip.Addr {
	if six {
		return documentationAddr(netip.IPv6Unspecified())
	}
	return documentationAddr(netip.IPv4Unspecified())
}
