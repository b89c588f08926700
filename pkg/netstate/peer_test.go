// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

func TestVethPeer(t *testing.T) {
	path := checktest.Sandbox(t, "pod")
	pod, err := netns.GetFromPath(path)
	if err != nil {
		t.Fatal(err)
	}
	defer pod.Close()
	for _, v := range []*netlink.Veth{
		{LinkAttrs: netlink.LinkAttrs{Name: "away0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(pod)},
		{LinkAttrs: netlink.LinkAttrs{Name: "here0"}, PeerName: "here1"},
	} {
		if err := netlink.LinkAdd(v); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = netlink.LinkDel(v) })
	}
	node, err := netstate.OpenNode()
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	opened := netstate.OpenNetns(path)
	defer opened.Close()
	id, err := node.NetID(opened)
	if err != nil {
		t.Fatal(err)
	}
	if peer, err := node.VethPeer("away0"); err != nil || !peer.Away || peer.NetID != id {
		t.Errorf("the peer of away0 is %+v, %v; the namespace has id %d", peer, err, id)
	}
	if peer, err := node.VethPeer("here0"); err != nil || peer.Away {
		t.Errorf("the peer of here0 is %+v, %v", peer, err)
	}
	if _, err := node.VethPeer("lo"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lo has a peer: %v", err)
	}
	if _, err := node.VethPeer("nonesuch"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error for a link that is not there is %v", err)
	}
	if _, err := node.NetID(netstate.OpenNetns("")); err == nil {
		t.Error("a path without namespace has an id")
	}
}
