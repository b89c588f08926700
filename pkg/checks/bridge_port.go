// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// BridgePort keeps pods on the bridge that the primary plugin put them on.
var BridgePort = &Check{
	ID:      "CG303",
	Name:    "bridge-port",
	Summary: "A pod is cut off because a network manager removed the node's end of its veth from the pod network's bridge, or set the veth or the bridge down.",
	Detection: "The result of the chain names a Linux bridge, and the node's end of the pod's veth is not a port of it (`ip link show master BRIDGE`), or one of the two is down. " +
		"`guardctl doctor` looks at all pods on record; so do ADD and STATUS, once in 30 s, and each of them in the first seconds after systemd-networkd started. " +
		"A port that systemd-networkd puts on another bridge by Bridge= is reported but not repaired, because networkd moves it back within milliseconds each time.",
	Remedy:  "Add the port to its bridge with: ip link set VETH master BRIDGE. Then keep the network manager of the node off the interfaces of pods: guardctl explain link-manager. Where systemd-networkd has Bridge= for them, do that first.",
	When:    guard.Add | guard.Status | guard.Node,
	Default: guard.Warn,
	Needs:   []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:   probeBridgePort,
	Repair:  repairBridgePort,
}

// bridgePortEvery is how long ADD relies on the last look at the pods on record.
const bridgePortEvery = 30 * time.Second

// A strayPort is a node's end that is not as the result says.
type strayPort struct {
	nodeEnd
	bridge netstate.Link // what it must be a port of
	other  bool          // it is of another pod than that of the call, which is not refused for it
	// claim is the setting by which systemd-networkd makes it a port of what it is a port
	// of now; zero where there is none.
	claim hostconf.Value
}

// lost reports whether it is no port of the bridge.
func (s strayPort) lost() bool { return s.Master != s.bridge.Index }

func probeBridgePort(ctx context.Context, t *Target) ([]guard.Finding, error) {
	strays, err := t.strayPorts(ctx)
	findings := make([]guard.Finding, len(strays))
	for i, s := range strays {
		findings[i] = s.finding(t)
	}
	return findings, err
}

// strayPorts returns the ports that are not as they must be: that of the pod, and
// those of the pods on record where it is time to look at them.
func (t *Target) strayPorts(ctx context.Context) ([]strayPort, error) {
	if t.Netns == nil {
		if !t.Thorough && t.StateDir != "" && !t.portsDue.get(t.dueForPorts) {
			return nil, guard.Skip("the ports of the pods on record are looked at every " + bridgePortEvery.String())
		}
		ends, err := t.recordedEnds(ctx)
		if err != nil {
			return nil, err
		}
		return t.straysOf(ends)
	}
	end, err := t.nodeEnd()
	if err != nil {
		return nil, err
	}
	strays, err := t.straysOf([]nodeEnd{end})
	if err != nil || len(strays) == 0 && !t.portsDue.get(t.dueForPorts) {
		return strays, err
	}
	// What took this port away may have taken others, too.
	ends, err := t.recordedEnds(ctx)
	if err != nil {
		return strays, nil // for the others there is the next look
	}
	others, err := t.straysOf(slices.DeleteFunc(ends, func(e nodeEnd) bool { return e.Index == end.Index }))
	if guard.Skips(err) {
		err = nil
	}
	for i := range others {
		others[i].other = true
	}
	return append(strays, others...), err
}

// A onceBool is a decision that is made once.
type onceBool struct {
	once  sync.Once
	value bool
}

func (b *onceBool) get(decide func() bool) bool {
	b.once.Do(func() { b.value = decide() })
	return b.value
}

// dueForPorts reports whether the pods on record were not looked at for a while, and
// remembers that they are now.
func (t *Target) dueForPorts() bool {
	if t.StateDir == "" || t.Attached == nil || t.Files != nil {
		return false
	}
	mark := filepath.Join(t.StateDir, "bridge-port", "looked")
	if looked, ok := modified(mark); ok && time.Since(looked).Abs() < bridgePortEvery && !t.managerStarted(looked) {
		return false
	}
	if os.MkdirAll(filepath.Dir(mark), 0o700) != nil {
		return false // or each ADD would look
	}
	return os.WriteFile(mark, nil, 0o600) == nil && os.Chtimes(mark, time.Time{}, time.Now()) == nil
}

// straysOf returns those ends that are not as they must be. The error is guard.Skip's
// where no result names a bridge.
func (t *Target) straysOf(ends []nodeEnd) ([]strayPort, error) {
	var strays []strayPort
	var skip error
	applies := false
	for _, end := range ends {
		bridge, err := t.bridgeOf(end)
		if guard.Skips(err) {
			skip = err
			continue
		}
		if err != nil {
			return nil, err
		}
		applies = true
		if s := (strayPort{nodeEnd: end, bridge: bridge}); s.lost() || !end.Up || !bridge.Up {
			strays = append(strays, s)
		}
	}
	if applies {
		skip = nil
	}
	t.findClaims(strays)
	return strays, skip
}

// bridgeOf returns the bridge that an end must be a port of. The error is
// guard.Skip's where the result does not say.
func (t *Target) bridgeOf(end nodeEnd) (netstate.Link, error) {
	if end.master.Kind == "bridge" && end.named(end.master.Name) {
		return end.master, nil
	}
	if !end.named(end.Name) {
		return netstate.Link{}, guard.Skip(fmt.Sprintf("the result does not name %s, the node's end of %s", end.Name, end.pod))
	}
	var bridges []netstate.Link
	for _, name := range end.want.Links {
		if name == end.Name {
			continue
		}
		link, err := t.Node.Link(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return netstate.Link{}, err
		}
		if err == nil && link.Kind == "bridge" {
			bridges = append(bridges, link)
		}
	}
	if len(bridges) != 1 {
		return netstate.Link{}, guard.Skip(fmt.Sprintf("the result of %s names no bridge of the node, or several", end.pod))
	}
	return bridges[0], nil
}

func (s strayPort) finding(t *Target) guard.Finding {
	f := guard.Finding{Object: "node/" + s.Name, Minor: s.other}
	undone := t.repairs("bridge-port").before(s.bridge.Name, "; cni-guard has repaired ports of "+s.bridge.Name+" %s")
	switch {
	case s.lost():
		f.Problem, f.Impact = fmt.Sprintf("is not a port of %s or any other bridge", s.bridge.Name), s.pod+" is cut off"
		if s.Master != 0 {
			f.Problem = fmt.Sprintf("is a port of %s instead of %s", s.master.Name, s.bridge.Name)
		}
		f.Command = fmt.Sprintf("ip link set %s master %s", printable.Word(s.Name), printable.Word(s.bridge.Name))
		f.Change = fmt.Sprintf("master of %s: %s -> %s", s.Name, orNone(s.master.Name), s.bridge.Name)
		if s.hasVLANs(t) {
			f.Command, f.Change = "", ""
			f.Remedy = "Let the pod be attached again, as its port has lost its VLAN: kubectl delete pod POD."
		}
		if s.claim.File != "" {
			f.Remedy = "First keep systemd-networkd off it, with the command of guardctl doctor --check link-manager: until then it takes the port back within milliseconds. Then run: " + f.Command + "."
			f.Command, f.Change = "", ""
		}
	case !s.Up:
		f.Problem, f.Impact = "is down", s.pod+" is cut off"
		f.Command = fmt.Sprintf("ip link set %s up", printable.Word(s.Name))
		f.Change = s.Name + ": down -> up"
	default:
		f.Object = "node/" + s.bridge.Name
		f.Problem, f.Impact = "is down", s.pod+" and all other pods on it are cut off"
		f.Command = fmt.Sprintf("ip link set %s up", printable.Word(s.bridge.Name))
		f.Change = s.bridge.Name + ": down -> up"
	}
	f.Evidence = strings.TrimPrefix(s.manager(t)+undone, "; ")
	if f.Command != "" {
		f.Remedy = "Run: " + f.Command + "."
	}
	return f
}

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return name
}

// repairBridgePort adds ports to their bridges and sets links up. A port of a bridge
// with VLANs is left: it would be in another VLAN than the pod's. So is one that
// systemd-networkd claims for another bridge.
func repairBridgePort(ctx context.Context, t *Target) error {
	t.end.Store(nil)
	defer t.end.Store(nil)
	strays, err := t.strayPorts(ctx)
	if err != nil && !guard.Skips(err) {
		return err
	}
	for _, s := range strays {
		err = errors.Join(err, s.repair(t))
	}
	return err
}

func (s strayPort) repair(t *Target) error {
	var err error
	switch {
	case s.lost():
		if s.claim.File != "" || s.hasVLANs(t) {
			return nil
		}
		err = t.Node.AddPort(s.bridge.Name, s.Name, t.portSettings())
	case !s.Up:
		err = t.Node.SetUp(s.Name)
	default:
		err = t.Node.SetUp(s.bridge.Name)
	}
	if err == nil {
		t.repairs("bridge-port").add(s.bridge.Name, t.now())
	}
	return err
}

// hasVLANs reports whether the ports of the bridge have VLANs, or cannot
// be read. A port that is added again is in the default VLAN, which may be another
// tenant's.
func (s strayPort) hasVLANs(t *Target) bool {
	bridge, err := t.Node.Bridge(s.bridge.Name)
	return err != nil || bridge.VLANFiltering
}

// portSettings returns the settings that the file with the guard sets for ports, in the
// entry of bridge or, as flannel does, in what it passes on to it.
func (t *Target) portSettings() netstate.PortSettings {
	r, _ := t.runtime() // whatever process called, the file with the guard made the port
	d, err := t.confDir(r, nil)
	var s netstate.PortSettings
	if err != nil {
		return s
	}
	type entry struct{ HairpinMode, PortIsolation bool }
	for _, p := range d.ownList.Plugins {
		var e struct {
			entry
			Delegate entry
		}
		if json.Unmarshal(p.Raw, &e) == nil {
			s.Hairpin = s.Hairpin || e.HairpinMode || e.Delegate.HairpinMode
			s.Isolated = s.Isolated || e.PortIsolation || e.Delegate.PortIsolation
		}
	}
	return s
}
