// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/actor"
	"github.com/cni-guard/cni-guard/pkg/dirwatch"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Times around a change.
const (
	// just is how long before a change a program was started that may have made it.
	just = 500 * time.Millisecond
	// justNamed is the same for a program whose command names what has changed.
	justNamed = 3 * time.Second
	// portLife is how long a port is taken to be that of the program that had its number.
	portLife = 10 * time.Second
	// A port is looked for so many times, with a pause in between.
	portTries, portPause = 4, 5 * time.Millisecond
	// portCache is how long the owner of a port is remembered.
	portCache = time.Second
	// fileDelay is how long a change of a file waits for the report of who made it, and for
	// more changes of the same file.
	fileDelay = 100 * time.Millisecond
	// beforeMost is how many programs a change names that were started before.
	beforeMost = 3
)

// A Tracer reports changes. Use Start.
type Tracer struct {
	changes chan Change
	recent  *actor.Recent
	limits  []string

	notices <-chan netstate.Notice
	writes  <-chan actor.Write // to sysctls
	files   <-chan actor.Write // in the directories
	dirty   chan struct{}      // a directory has changed

	links   links
	sysctls sysctls
	dirs    dirs
	blind   struct{ sysctls, files bool } // who writes them is not reported
	ports   map[uint32]portOwner
	holders struct {
		at  time.Time
		all []actor.Process
	}
}

// Start begins to report what changes in the network namespace of this process and in
// directories, until ctx ends. Changes that are not read in time are lost, which is
// reported as a change of its own.
func Start(ctx context.Context, directories ...string) (*Tracer, error) {
	kernel, err := netstate.OpenNode()
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, kernel.Close)
	t := &Tracer{changes: make(chan Change, 1024), dirty: make(chan struct{}, 1)}
	limit := func(err error, means string) bool {
		if err != nil {
			t.limits = append(t.limits, means+": "+err.Error())
		}
		return err != nil
	}
	t.recent, err = actor.Follow(ctx)
	limit(err, "programs that start are not seen")
	t.writes, err = actor.WatchSysctls(ctx)
	t.blind.sysctls = limit(err, "who writes a sysctl is not reported, and only forwarding, rp_filter and proxy_arp of interfaces are seen")
	if len(directories) > 0 {
		t.files, err = actor.WatchFiles(ctx, directories...)
		t.blind.files = limit(err, "who writes to "+strings.Join(directories, " and ")+" is not reported")
	}
	t.sysctls = readSysctls()
	t.dirs = scan(directories)
	if t.notices, err = kernel.WatchNotices(ctx); err != nil {
		return nil, err
	}
	watch := dirwatch.New(func() []string { return directories }, func(bool) { t.touch() }, func(events bool, err error) {
		if events {
			t.touch() // what changed before the watch was armed
		}
	})
	if len(directories) > 0 {
		go watch.Run(ctx)
	}
	go t.run(ctx)
	return t, nil
}

// Changes returns the channel of the changes. It is closed when the context of Start ends.
func (t *Tracer) Changes() <-chan Change { return t.changes }

// Limits returns what is not seen, or not said of a change, and why, a sentence each.
func (t *Tracer) Limits() []string { return slices.Clone(t.limits) }

func (t *Tracer) touch() {
	select {
	case t.dirty <- struct{}{}:
	default:
	}
}

// run turns what the kernel reports into changes.
func (t *Tracer) run(ctx context.Context) {
	defer close(t.changes)
	var scanAt, compareAt <-chan time.Time
	var written []actor.Write
	for {
		select {
		case <-ctx.Done():
			return
		case n, ok := <-t.notices:
			if !ok {
				return
			}
			if n.Kind == netstate.SysctlNotice {
				t.sysctls.note(n, &t.links)
				if compareAt == nil {
					compareAt = time.After(fileDelay)
				}
				continue
			}
			t.notice(n)
		case w, ok := <-t.writes:
			if !ok {
				t.writes = nil
				continue
			}
			t.sysctlWritten(w)
		case <-compareAt:
			compareAt = nil
			t.sysctlsNoticed()
		case w, ok := <-t.files:
			if !ok {
				t.files = nil
				continue
			}
			written = append(written, w)
			if scanAt == nil {
				scanAt = time.After(fileDelay)
			}
		case <-t.dirty:
			if scanAt == nil {
				scanAt = time.After(fileDelay)
			}
		case <-scanAt:
			scanAt = nil
			t.filesChanged(written)
			written = nil
		}
	}
}

func (t *Tracer) send(c Change) {
	select {
	case t.changes <- c:
	default:
		select { // make room for the one that says so
		case <-t.changes:
		default:
		}
		select {
		case t.changes <- Change{Time: c.Time, Kind: KindLost}:
		default:
		}
	}
}

// notice turns a notice about the network into changes.
func (t *Tracer) notice(n netstate.Notice) {
	switch n.Kind {
	case netstate.NoticesLost:
		t.send(Change{Time: n.Time, Kind: KindLost})
	case netstate.LinkNotice:
		for _, c := range t.links.take(n) {
			c.Time, c.Kind = n.Time, KindLink
			c.Who = t.who(n, c.Object)
			t.send(c)
		}
	case netstate.AddressNotice, netstate.RouteNotice, netstate.RuleNotice:
		c := Change{Time: n.Time, Kind: KindAddress, Object: t.links.resolve(n.Object), What: "added"}
		switch n.Kind {
		case netstate.AddressNotice:
			c.Object += " dev " + t.links.name(n.Link.Index)
		case netstate.RouteNotice:
			c.Kind = KindRoute
		case netstate.RuleNotice:
			c.Kind = KindRule
		}
		if n.Gone {
			c.What = "removed"
		}
		c.Who = t.who(n, c.Object)
		t.send(c)
	}
}

// who returns who made a change of the network.
func (t *Tracer) who(n netstate.Notice, object string) Who {
	if n.Port != 0 {
		// A routing daemon changes thousands of routes at once.
		if known, ok := t.ports[n.Port]; ok && n.Time.Sub(known.at) < portCache {
			return known.who
		}
		who := t.ofPort(n, object)
		if who.Process != nil {
			if len(t.ports) > 1000 || t.ports == nil {
				t.ports = map[uint32]portOwner{}
			}
			t.ports[n.Port] = portOwner{who, n.Time}
		}
		return who
	}
	return t.unknown(n.Time, object, "the kernel does not say it of this change")
}

// A portOwner is who had the socket with a port at a time.
type portOwner struct {
	who Who
	at  time.Time
}

// ofPort returns the process behind a netlink port.
func (t *Tracer) ofPort(n netstate.Notice, object string) Who {
	if p, ok := actor.OfPort(n.Port); ok {
		return Who{Process: &p, Evidence: "its netlink socket"}
	}
	// The socket is closed. A port is the ID of the process that opened the socket unless that
	// has several, or is in another PID namespace. Its start may be read after the change.
	for range portTries {
		if p, ok := t.recent.ByPID(int(n.Port), n.Time.Add(-portLife)); ok {
			return Who{Process: &p, Evidence: "the port of the netlink socket is its process ID"}
		}
		time.Sleep(portPause)
	}
	why := "the socket with netlink port " + utoa(n.Port) + " is closed, or of another PID namespace"
	if p := actor.Read(int(n.Port)); p.Name != "" {
		why += "; that is also the number of " + p.Short()
	}
	return t.unknown(n.Time, object, why)
}

// unknown returns what may help where the kernel does not name the process.
func (t *Tracer) unknown(at time.Time, object, why string) Who {
	w := Who{Why: why}
	t.recent.Update(at.Add(-justNamed))
	// Those that name what has changed, of a longer time, or else the last ones.
	started := t.recent.Between(at.Add(-just), at)
	named := slices.DeleteFunc(t.recent.Between(at.Add(-justNamed), at), func(p actor.Process) bool { return !names(p.Command, object) })
	if len(named) > 0 {
		started = named
	}
	for _, p := range started[:min(len(started), beforeMost)] {
		w.Before = append(w.Before, Started{p, float64(at.Sub(p.Seen).Microseconds()) / 1000})
	}
	if len(w.Before) == 0 {
		if time.Since(t.holders.at) > 10*time.Second {
			t.holders.all, t.holders.at = actor.Holders(), time.Now()
		}
		w.Holders = t.holders.all
	}
	return w
}

// names reports whether a command has one of the words of an object that are names or
// addresses.
func names(command, object string) bool {
	words := strings.FieldsFunc(command, func(r rune) bool { return r == ' ' || r == '=' || r == '/' })
	for name := range strings.FieldsSeq(object) {
		switch name {
		case "dev", "via", "table", "main", "default", "metric", "from", "to", "all", "lookup":
			continue
		}
		name, _, _ = strings.Cut(name, "/") // of a prefix
		if slices.Contains(words, name) {
			return true
		}
	}
	return false
}

// writer returns the process that the kernel named as the writer of a file.
func (t *Tracer) writer(w actor.Write, object string) Who {
	if w.PID == 0 {
		return t.unknown(w.Time, object, "the process is in a PID namespace that is not visible here")
	}
	p := actor.Read(w.PID)
	if seen, ok := t.recent.ByPID(w.PID, w.Time.Add(-portLife)); ok && p.Command == "" { // it has ended
		p = seen
	}
	return Who{Process: &p, Evidence: "the kernel names it as the writer"}
}
