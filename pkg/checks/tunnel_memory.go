// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A peerMemory is what the last run saw of the pod network, compared with now. The zero
// peerMemory remembers nothing.
type peerMemory struct {
	vanished []seenBlock
	emptied  map[string]bool // devices all of whose blocks vanished
	direct   map[netip.Addr]bool
	devices  map[string]seenDevice // as they are now
	gone     map[string]bool       // devices that existed
	down     map[string]bool       // devices that are down
	// flannelUDP are the devices of flannel's backend udp that are gone, with when they were
	// seen first.
	flannelUDP map[string]time.Time
}

// A seenPaths is the content of the file that one run leaves for the next.
type seenPaths struct {
	Boot    string                `json:"boot"`
	Devices map[string]seenDevice `json:"devices"`
	Blocks  []seenBlock           `json:"blocks"`
}

// A seenDevice is a tunnel device, as peers know it.
type seenDevice struct {
	MAC  string    `json:"mac,omitempty"`
	VNI  uint32    `json:"vni,omitempty"`
	Port uint16    `json:"port,omitempty"`
	At   time.Time `json:"at"` // when it was first seen like this
	// Was is what it was before, for a day; nil if it did not change.
	Was *seenDevice `json:"was,omitempty"`
}

// A seenBlock is a block of pods that a route led to.
type seenBlock struct {
	Block  netip.Prefix `json:"block"`
	Node   netip.Addr   `json:"node"`             // its own address
	Device string       `json:"device,omitempty"` // of the route
	At     time.Time    `json:"at"`               // when the route was last seen
}

// Bounds of the file. A block that was not seen for a day belongs to a node that is gone.
const (
	maxSeen = 10_000
	seenFor = 24 * time.Hour
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// recallPeers compares the pod network with what the last run of this boot saw, and keeps
// it for the next. Without a state directory nothing is remembered.
func (t *Target) recallPeers(d netstate.TunnelDump, table tunnel.Table) peerMemory {
	now := t.seePaths(d, table)
	memory := peerMemory{direct: map[netip.Addr]bool{}, emptied: map[string]bool{}, gone: map[string]bool{}, down: map[string]bool{}}
	current := map[netip.Prefix]bool{}
	nodes := map[netip.Addr]bool{} // to which some route leads
	alive := map[string]bool{}
	for _, b := range now.Blocks {
		current[b.Block], nodes[b.Node], alive[b.Device] = true, true, true
		if _, tunneled := now.Devices[b.Device]; !tunneled {
			memory.direct[b.Node] = true
		}
	}
	for _, l := range d.Links {
		memory.down[l.Name] = !l.Up
	}
	if t.StateDir == "" {
		return memory
	}
	path := filepath.Join(t.StateDir, "tunnel-peers", "seen.json")
	var last seenPaths
	text, err := t.readState(path)
	if err != nil || json.Unmarshal(text, &last) != nil || last.Boot != now.Boot {
		last = seenPaths{}
	}
	memory.devices = now.Devices
	for name, device := range now.Devices {
		before, ok := last.Devices[name]
		switch {
		case ok && before.same(device):
			if before.Was != nil && t.now().Sub(before.At) > seenFor {
				before.Was = nil
			}
			now.Devices[name] = before
		case ok:
			before.Was = nil
			device.Was = &before
			now.Devices[name] = device
		}
	}
	for _, b := range last.Blocks {
		if current[b.Block] || nodes[b.Node] || t.now().Sub(b.At) > seenFor || len(now.Blocks) >= maxSeen || len(t.networkPlugins()) == 0 {
			continue
		}
		_, exists := now.Devices[b.Device]
		_, existed := last.Devices[b.Device]
		memory.vanished = append(memory.vanished, b)
		memory.emptied[b.Device] = !alive[b.Device]
		memory.gone[b.Device] = existed && !exists
		now.Blocks = append(now.Blocks, b) // with the time of then
	}
	for _, name := range slices.Collect(maps.Keys(memory.gone)) { // as it was, until its blocks are forgotten
		if memory.gone[name] {
			now.Devices[name] = last.Devices[name]
		}
	}
	memory.flannelUDP = t.goneFlannelUDP(d, last, now)
	for name := range memory.flannelUDP {
		now.Devices[name] = last.Devices[name]
	}
	now.write(path)
	return memory
}

// seePaths returns the devices and blocks of now.
func (t *Target) seePaths(d netstate.TunnelDump, table tunnel.Table) seenPaths {
	at := t.now().UTC().Truncate(time.Second)
	seen := seenPaths{Boot: t.boot(), Devices: map[string]seenDevice{}}
	outers := map[string]netip.Addr{} // by device and gateway, or block
	for _, p := range table.Peers {
		if !p.Outer.IsValid() || len(seen.Blocks) >= maxSeen {
			continue
		}
		for _, block := range append([]netip.Prefix{p.Block}, p.More...) {
			outers[p.Device+" "+block.String()] = p.Outer
			if !block.IsSingleIP() {
				seen.Blocks = append(seen.Blocks, seenBlock{block, p.Outer, p.Device, at})
			}
		}
	}
	for _, l := range d.Links {
		device := seenDevice{VNI: l.VNI, Port: l.Port, At: at}
		if l.MAC != (netstate.MAC{}) {
			device.MAC = l.MAC.String()
		}
		seen.Devices[l.Name] = device
	}
	n, err := readNodeNetwork(t)
	if err != nil {
		return seen
	}
	ranges, _ := t.podRanges() // without them the routes of known networks remain
	for _, b := range n.podBlocks(ranges.prefixes) {
		if _, tunneled := seen.Devices[b.link]; tunneled || !b.gateway.IsValid() || len(seen.Blocks) >= maxSeen {
			continue
		}
		seen.Blocks = append(seen.Blocks, seenBlock{b.Prefix, b.gateway, b.link, at})
	}
	return seen
}

// write keeps what was seen. That it cannot be is no error: the next run remembers less.
func (s seenPaths) write(path string) {
	text, err := json.Marshal(s)
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	if os.WriteFile(path+".new", text, 0o600) == nil {
		_ = os.Rename(path+".new", path)
	}
}

// same reports whether peers that know the one reach the other.
func (s seenDevice) same(o seenDevice) bool {
	return s.MAC == o.MAC && s.VNI == o.VNI && s.Port == o.Port
}

// rebuilt returns how a device changed within the last day, as a clause; "" if it did not.
func (m peerMemory) rebuilt(device string) string {
	now := m.devices[device]
	was := now.Was
	change := ""
	switch {
	case was == nil:
		return ""
	case was.MAC != now.MAC:
		change = fmt.Sprintf("MAC: %s -> %s", was.MAC, now.MAC)
	case was.VNI != now.VNI:
		change = fmt.Sprintf("VNI: %d -> %d", was.VNI, now.VNI)
	default:
		change = fmt.Sprintf("port: %d -> %d", was.Port, now.Port)
	}
	return fmt.Sprintf("was made again or changed since %s (%s)", was.At.Format(time.DateTime+" MST"), change)
}

// vanishedFindings returns the findings about blocks whose route is gone while their node
// answers. That of a single node is minor: it may have left the cluster.
func (e *tunnelEvidence) vanishedFindings(named map[netip.Addr]bool) []guard.Finding {
	var findings []guard.Finding
	for _, v := range e.memory.vanished {
		if named[v.Node] || !e.outer[v.Node].State.Confirms() {
			continue
		}
		f := guard.Finding{
			Object:   "node/" + v.Device,
			Problem:  fmt.Sprintf("had the route to %s, whose node %s still answers, and has it no more", v.Block, v.Node),
			Evidence: "last seen " + v.At.Format(time.DateTime+" MST"),
			Impact:   "pods of this node do not reach those of " + v.Node.String(),
			Remedy:   "If that node is still in the cluster, restart the network's daemon on this node, which writes the route again, and find out what removed it: with systemd-networkd ManageForeignRoutes, networkctl reload, or a device that was deleted.",
			Minor:    !e.memory.emptied[v.Device],
		}
		switch {
		case e.memory.down[v.Device]:
			f.Problem = fmt.Sprintf("is down, and with it the route to %s is gone, whose node %s still answers", v.Block, v.Node)
			f.Remedy = fmt.Sprintf("Run ip link set %s up, restart the network's daemon on this node, which writes the route again, and find out what took the device down (a network manager, or a cleanup script).", v.Device)
		case e.memory.gone[v.Device]:
			f.Problem = fmt.Sprintf("is gone, and with it the route to %s, whose node %s still answers", v.Block, v.Node)
		}
		findings = append(findings, f)
	}
	return limitFindings(findings)
}
