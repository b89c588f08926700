// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A world is the model of a node: namespaces, pods, the addresses and rules that
// the chain keeps, and the runtime's cache.
type world struct {
	history
	dir        string
	boot       int
	lastCookie uint64
	lastID     int
	containers []*container
	addresses  map[netip.Addr]*container // allocated, by whom
	rules      map[netip.Addr]*container // of a plugin that cleans up by address
	fault      error                     // of a release, found while the guard was being asked
}

// A space is a network namespace of the model.
type space struct {
	node    bool
	cookie  uint64
	owner   *container // nil for one that no ADD was called for
	alive   bool
	hasLink bool // eth0 is there
	mac     string
	addrs   []netip.Prefix
}

// A container is a sandbox as the runtime knows it, and what is true of it.
type container struct {
	id     string
	shape  int
	mac    string // as the primary reported it
	addrs  []netip.Prefix
	path   string
	space  *space // its own; the last one that it had
	leads  *space // where the path leads; nil where nothing is there
	cached bool   // the runtime has the attachment
	noted  bool   // the last DEL was answered with an error, so that libcni's cache entry stays

	notedPath string // the path in libcni's cache entry; "" where there is none

	recorded  uint64 // the cookie that the guard has on record; 0 for none in this boot
	remembers bool   // the guard has a record of MAC and address, of whatever boot
	retired   bool   // a DEL was let through since the record was made
	marked    bool   // the guard knows that it was released
	markLost  bool   // it knew, and the state directory is gone
	freed     bool   // its address was given back
	cutOff    bool   // it lost its interface to a DEL that no evidence could stop
}

func newWorld(dir string, h history) *world {
	return &world{
		history: h, dir: dir, lastCookie: 100,
		addresses: map[netip.Addr]*container{}, rules: map[netip.Addr]*container{},
	}
}

// pick picks a container that the runtime knows.
func (w *world) pick(n int) *container {
	known := slices.DeleteFunc(slices.Clone(w.containers), func(c *container) bool { return !c.cached })
	if len(known) == 0 {
		return nil
	}
	return known[n%len(known)]
}

func (c *container) lives() bool { return c.space != nil && c.space.alive }

func (w *world) newSpace(owner *container) *space {
	w.lastCookie++
	return &space{cookie: w.lastCookie, owner: owner, alive: true}
}

// allocate takes the lowest free address, as after a full round of host-local.
func (w *world) allocate(c *container) {
	for n := byte(2); ; n++ {
		addr := netip.AddrFrom4([4]byte{10, 9, 0, n})
		if w.addresses[addr] == nil {
			w.addresses[addr] = c
			c.addrs = []netip.Prefix{netip.PrefixFrom(addr, 24)}
			return
		}
	}
}

func (w *world) add(shape int, killed bool) error {
	w.lastID++
	c := &container{id: fmt.Sprintf("c%d", w.lastID), shape: shape, cached: true, path: fmt.Sprintf("/run/netns/n%d", w.lastID)}
	w.containers = append(w.containers, c)
	return w.attach(c, killed)
}

// attach gives a container a new namespace and calls the chain's ADD.
func (w *world) attach(c *container, killed bool) error {
	c.space = w.newSpace(c)
	c.leads = c.space
	c.freed, c.retired, c.marked, c.markLost, c.cutOff = false, false, false, false, false
	c.mac = fmt.Sprintf("02:00:00:00:00:%02x", w.lastID%256)
	switch c.shape {
	case shapeStatic: // one pod of that kind; its next sandbox has the same
		c.mac = "02:00:00:00:01:01"
		c.addrs = []netip.Prefix{netip.MustParsePrefix("10.8.0.1/24")}
	case shapeL2:
		c.addrs = nil
	default:
		w.allocate(c)
	}
	c.space.hasLink, c.space.mac, c.space.addrs = true, c.mac, c.addrs
	for _, a := range c.addrs {
		w.rules[a.Addr()] = c
	}
	if c.shape == shapeMACless {
		c.mac = ""
	}
	if killed {
		c.recorded, c.remembers = 0, false
		return nil
	}
	k, args := w.call("ADD", c)
	k.recordSandbox(args)
	c.notedPath = c.path
	c.recorded, c.remembers = 0, true
	if w.cookies {
		c.recorded = c.space.cookie
	}
	return nil
}

// end lets the processes of the pod end, and its namespace with them.
func (c *container) end() {
	c.space.alive = false
	if c.leads == c.space {
		c.leads = nil
	}
}

// reusePath lets the path of a pod that ended lead to another namespace.
func (w *world) reusePath(c *container, n int) {
	if c.lives() || c.leads != nil {
		return
	}
	targets := []*space{{node: true, alive: true}, w.newSpace(nil)}
	for _, other := range w.containers {
		if other != c && other.lives() {
			targets = append(targets, other.space)
		}
	}
	c.leads = targets[n%len(targets)]
}

// changes reports whether the pod may change its interface. One that was restored
// since its ADD is known by that interface alone, so it keeps it.
func (c *container) changes() bool {
	restored := c.recorded != 0 && c.recorded != c.space.cookie
	return c.lives() && c.space.hasLink && !restored
}

// changeMAC gives the pod another MAC, unless it has another address already: a pod
// that shows neither is another pod, to all that is known of it.
func (c *container) changeMAC(w *world) {
	if renumbered := !slices.Equal(c.space.addrs, c.addrs); c.changes() && !renumbered {
		c.space.mac = fmt.Sprintf("02:00:00:00:02:%02x", w.lastID%256)
	}
}

// renumber gives the pod another address, as a new DHCP lease may.
func (c *container) renumber() {
	if c.changes() && c.mac != "" && c.space.mac == c.mac {
		c.space.addrs = []netip.Prefix{netip.MustParsePrefix("10.7.0.1/24")}
	}
}

// swapInterface puts another interface in the place of eth0, without the address.
func (c *container) swapInterface(w *world) {
	if c.changes() {
		c.changeMAC(w)
		c.space.addrs = nil
	}
}

// restore checkpoints the pod and restores it, in a new namespace with the same
// interface.
func (w *world) restore(c *container) {
	if !c.lives() || c.leads != c.space || c.space.mac != c.mac || len(c.addrs) == 0 || !slices.Equal(c.space.addrs, c.addrs) {
		return
	}
	before := c.space
	before.alive = false
	c.space = w.newSpace(c)
	c.space.hasLink, c.space.mac, c.space.addrs = before.hasLink, before.mac, before.addrs
	c.leads = c.space
}

// restart ends the container and starts it again under the same ID. Nothing tells
// the lives of one ID apart where it was released without a path that was known.
func (w *world) restart(c *container, n int) error {
	if c.marked && c.notedPath == "" {
		return nil
	}
	if err := w.del(c, delivered); err != nil || c.cached {
		return err
	}
	c.cached, c.noted, c.path = true, false, fmt.Sprintf("/run/netns/r%d", n)
	return w.attach(c, n%3 == 0)
}

// gc does what libcni does: it repeats the DEL of what is still in its cache and not
// valid any more, and then calls the plugins' GC.
func (w *world) gc() error {
	var valid []ledger.Key
	for _, c := range w.containers {
		if c.noted && !c.cached {
			if err := w.del(c, delivered); err != nil {
				return err
			}
		}
	}
	for _, c := range w.containers {
		if c.cached {
			valid = append(valid, w.key(c))
		}
	}
	for _, c := range w.containers {
		if !c.cached && !c.marked {
			c.recorded, c.remembers = 0, false
		}
	}
	_, err := ledger.Ledger(w.dir).Collect("net", valid)
	return err
}

func (w *world) reboot() {
	w.boot++
	w.lastCookie = 100 // cookies start again
	for _, c := range w.containers {
		c.end()
		c.leads, c.recorded = nil, 0
	}
	clear(w.rules) // iptables does not survive, the leases of host-local do
	if !w.persistent {
		w.loseState()
	}
}

func (w *world) loseState() {
	_ = os.RemoveAll(w.dir)
	for _, c := range w.containers {
		c.markLost = c.markLost || c.marked
		c.recorded, c.remembers, c.marked, c.retired = 0, false, false, false
	}
}

func (w *world) key(c *container) ledger.Key {
	return ledger.Key{Network: "net", ContainerID: c.id, IfName: "eth0"}
}

// call makes a call of the plugin whose target is the model.
func (w *world) call(command string, c *container) (*call, *cmdArgs) {
	conf := defaultConfig()
	conf.Network, conf.StateDir = "net", w.dir
	args := &cmdArgs{ContainerID: c.id, IfName: "eth0", Netns: c.path}
	k := &call{
		config: conf, key: w.key(c), ledger: ledger.Ledger(w.dir), log: journal{command, conf, args},
		bootID: func() (string, error) { return fmt.Sprintf("boot-%d", w.boot), nil },
		target: &checks.Target{
			ContainerID: c.id, IfName: "eth0", Node: parsed("link lo index 1 up\naddr 127.0.0.1/8 dev lo"),
			Pod: netstate.Unreadable{Err: errors.New("no sandbox is open")}, StateDir: w.dir,
			Netns: &netstate.Netns{Path: c.path, Kind: netstate.Missing}, Options: conf.Settings.Options,
		},
	}
	k.target.Holder = k.holder
	if command == "ADD" || c.shape != shapeOld {
		k.target.Want = checks.Interface{MAC: c.mac, Addrs: c.addrs}
	}
	if s := c.leads; s != nil {
		k.target.Netns.Kind = netstate.Sandbox
		if s.node {
			k.target.Netns.Kind = netstate.Node
		}
		k.target.Pod = parsed(s.text())
		k.target.Cookie = func() (uint64, error) {
			if !w.cookies {
				return 0, errors.New("get SO_NETNS_COOKIE: protocol not available")
			}
			return s.cookie, nil
		}
	}
	return k, args
}

func parsed(text string) *netstate.Fake {
	fake, err := netstate.Parse(text)
	if err != nil {
		panic(err)
	}
	return fake
}

// text is the namespace as netstate.Parse reads it.
func (s *space) text() string {
	var b strings.Builder
	b.WriteString("link lo index 1 up\naddr 127.0.0.1/8 dev lo\n")
	if s.hasLink {
		fmt.Fprintf(&b, "link eth0 index 2 kind veth mac %s up\n", s.mac)
		for _, a := range s.addrs {
			fmt.Fprintf(&b, "addr %s dev eth0\n", a)
		}
	}
	return b.String()
}

// del calls the guard's DEL, does with its answer what a runtime does, and says
// what must not have happened.
func (w *world) del(c *container, how delivery) error {
	healthy := c.lives() && c.leads == c.space && !c.marked && !c.cutOff
	k, args := w.call("DEL", c)
	k.startRelease = w.release(c, how)
	err := k.del(args)
	if w.fault != nil {
		return w.fault
	}
	if err == nil {
		return w.chainGoesOn(c, how)
	}
	var answer *types.Error
	if !errors.As(err, &answer) {
		return fmt.Errorf("the error of %s is not one of CNI: %w", c.id, err)
	}
	if healthy {
		return fmt.Errorf("the DEL of %s, which is healthy, is refused: %w", c.id, err)
	}
	c.noted = true
	if strings.Contains(answer.Msg, "not found") {
		c.cached = false
	}
	return nil
}

// chainGoesOn calls the other plugins with the path.
func (w *world) chainGoesOn(c *container, how delivery) error {
	c.retired = true
	if at := c.leads; at != nil && c.recorded != 0 && at.owner == c {
		c.recorded = at.cookie
	}
	at := c.leads
	switch {
	case at != nil && at.node:
		return fmt.Errorf("the chain of %s acts on the node", c.id)
	case at != nil && at.alive && at.owner != nil && at.owner != c && w.evidence(c, at):
		return fmt.Errorf("the chain of %s acts on the namespace of %s, which lives", c.id, at.owner.id)
	case c.marked:
		return fmt.Errorf("the chain of %s is called although it was released", c.id)
	}
	if at != nil {
		at.hasLink, at.addrs = false, nil
		if at.owner != nil && at.owner != c {
			at.owner.cutOff = true
		}
	}
	if how == failedByAnother {
		return nil
	}
	if err := w.callChain(c); err != nil {
		return err
	}
	c.cached, c.noted, c.notedPath = false, false, ""
	c.end()
	return nil
}

// callChain lets the plugins give back what they keep outside the sandbox. That the
// rules of another pod go is no fault where the mark of the first release was
// lost with the state directory.
func (w *world) callChain(c *container) error {
	for _, a := range c.addrs {
		owner := w.rules[a.Addr()]
		if owner != nil && owner != c && owner.lives() && c.freed && !c.markLost && c.shape != shapeStatic {
			return fmt.Errorf("the rules of %s go, which lives: its address %s was that of %s", owner.id, a, c.id)
		}
		delete(w.rules, a.Addr())
		if w.addresses[a.Addr()] == c {
			delete(w.addresses, a.Addr())
		}
	}
	c.freed = true
	return nil
}

// mark notes a release as guardctl does. The path is that of the DEL; "" by hand.
func (w *world) mark(c *container, path string) {
	l := ledger.Ledger(w.dir)
	r, err := l.Get(w.key(c))
	if err != nil {
		r = &ledger.Record{Key: w.key(c), BootID: fmt.Sprintf("boot-%d", w.boot)}
	}
	switch {
	case path != "":
		r.Netns = path
	case c.notedPath != "":
		r.Netns = c.notedPath
	case r.Retired: // an earlier life may have had its path
		r.Netns = ""
	}
	if err := l.PutReleased(*r); err != nil {
		panic(err)
	}
	c.marked, c.retired, c.recorded, c.remembers = true, true, 0, true
}

// operatorReleases releases a pod that is gone, by hand.
func (w *world) operatorReleases(c *container) error {
	if c.lives() || c.marked {
		return nil
	}
	if err := w.callChain(c); err != nil {
		return err
	}
	w.mark(c, "")
	return nil
}

// evidence reports whether anything that is left tells the guard that a namespace
// is not the container's: a record of its owner or of the container, or addresses
// and a MAC that are not the container's.
func (w *world) evidence(c *container, at *space) bool {
	if w.cookies && at.owner.recorded == at.cookie && !at.owner.retired {
		return true
	}
	knows := c.remembers || c.shape != shapeOld
	shows := slices.ContainsFunc(c.addrs, func(a netip.Prefix) bool { return slices.Contains(at.addrs, a) })
	sameMAC := at.mac == c.mac
	if w.cookies && c.recorded != 0 {
		return !(shows && (c.mac == "" || sameMAC))
	}
	return knows && at.hasLink && len(at.addrs) > 0 && len(c.addrs) > 0 && !shows && (c.mac == "" || !sameMAC)
}
