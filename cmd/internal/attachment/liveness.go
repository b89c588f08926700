// SPDX-License-Identifier: Apache-2.0

package attachment

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// Liveness says whether the sandbox of an attachment is alive, and why.
type Liveness struct {
	Verdict  release.Verdict
	Evidence []string // clauses; those that decided come first
	deciding int      // how many of them decided
}

// Reasons returns the evidence that decided, or all of it if none did.
func (l Liveness) Reasons() []string {
	if l.deciding == 0 {
		return l.Evidence
	}
	return l.Evidence[:l.deciding]
}

// teardownTime is how long the links of a namespace may outlive its last user: the
// kernel removes them in the background.
const teardownTime = time.Second / 5

// Liveness finds out whether the sandbox is alive.
//
// The sandbox is alive if a visible namespace has the recorded cookie, or if a veth on
// the node that is the pod's has its peer in another living namespace. It is gone if the
// pod's veths are, because they end with it; if it was recorded before the last boot; or
// if no process on the node and no mount has its cookie. A path that leads nowhere proves
// nothing: the namespace may be mounted in another mount namespace than this one, as with
// "kubectl debug node".
func (k Info) Liveness() Liveness {
	for start := time.Now(); ; time.Sleep(teardownTime / 10) {
		e := k.collectEvidence()
		if !e.restsOnVeth() || time.Since(start) > teardownTime {
			return e.liveness()
		}
	}
}

// FindAddress returns where the attachment's interface has the address in a visible
// namespace, as a clause, or "" if it has it nowhere. It is for attachments of which
// only a reservation is known.
func (k Info) FindAddress(addr netip.Addr) string {
	visible := findNamespaces()
	defer visible.close()
	for _, n := range visible.all {
		if hasAddr(n.netns, k.Attachment.IfName, addr) {
			return n.usedBy
		}
	}
	return ""
}

func hasAddr(n *netstate.Netns, ifName string, addr netip.Addr) bool {
	view, err := n.View()
	if err != nil {
		return false
	}
	defer view.Close()
	addrs, err := view.Addrs(ifName)
	return err == nil && slices.ContainsFunc(addrs, func(p netip.Prefix) bool { return p.Addr().Unmap() == addr.Unmap() })
}

// evidence is what the node shows about a sandbox at one moment.
type evidence struct {
	info    Info
	forLife []string // clauses: the sandbox is alive
	forEnd  []string // clauses: it is gone
	neutral []string // clauses: neither

	alive     bool // proved by the cookie or the address
	vethAlive bool // a veth with the pod's MAC has its peer in a living namespace
	goneVeths int  // the pod's veths that are gone
	unclear   bool // something on the node may be the pod's

	cookieGone bool // every process and mount was checked, and none has the recorded cookie
}

func (k Info) collectEvidence() *evidence {
	e := &evidence{info: k}
	if k.readErr != nil {
		e.unclear = true
		e.note("some of what was recorded cannot be read: %v", k.readErr)
	}
	visible := findNamespaces()
	defer visible.close()
	e.checkCookie(visible)
	e.checkPaths()
	e.checkVeths(visible)
	return e
}

func (e *evidence) noteAlive(format string, a ...any) {
	e.forLife = append(e.forLife, fmt.Sprintf(format, a...))
}

func (e *evidence) noteGone(format string, a ...any) {
	e.forEnd = append(e.forEnd, fmt.Sprintf(format, a...))
}

func (e *evidence) note(format string, a ...any) {
	e.neutral = append(e.neutral, fmt.Sprintf(format, a...))
}

// restsOnVeth reports whether a veth is all that shows that the sandbox is alive.
func (e *evidence) restsOnVeth() bool { return e.vethAlive && !e.alive }

func (e *evidence) liveness() Liveness {
	verdict := release.CannotTell
	switch {
	case e.alive, e.vethAlive:
		verdict = release.Alive
	case e.unclear:
	case e.goneVeths > 0, e.info.isOfEarlierBoot():
		verdict = release.Gone
	case e.cookieGone && len(e.hostInterfaces()) == 0:
		verdict = release.Gone
	}
	if e.info.isOfEarlierBoot() {
		e.noteGone("it was recorded before the last boot")
	}
	var l Liveness
	switch verdict {
	case release.Alive:
		l = Liveness{verdict, slices.Concat(e.forLife, e.forEnd, e.neutral), len(e.forLife)}
	case release.Gone:
		l = Liveness{verdict, slices.Concat(e.forEnd, e.forLife, e.neutral), len(e.forEnd)}
	default:
		l = Liveness{verdict, slices.Concat(e.neutral, e.forLife, e.forEnd), 0}
	}
	if len(l.Evidence) == 0 {
		l.Evidence = []string{"neither a record nor a cache entry shows whether the sandbox is alive"}
	}
	return l
}

// cookie returns the cookie that ADD recorded in this boot, or 0.
func (e *evidence) cookie() uint64 {
	if e.info.record == nil || e.info.record.BootID != e.info.boot {
		return 0
	}
	return e.info.record.Cookie
}

// checkCookie looks for the recorded cookie among the visible namespaces.
func (e *evidence) checkCookie(visible *namespaces) {
	cookie := e.cookie()
	if cookie == 0 {
		return
	}
	if n := visible.withCookie(cookie); n != nil {
		e.alive = true
		e.noteAlive("the namespace that ADD recorded exists: %s", n.usedBy)
		return
	}
	if visible.complete {
		e.cookieGone = true
		e.noteGone("no process is in the namespace that ADD recorded, and it is mounted nowhere")
	}
	if visible.err != nil {
		e.note("some processes cannot be checked, which takes root with CAP_SYS_ADMIN and CAP_SYS_PTRACE: %v", visible.err)
	}
}

// checkPaths checks where the paths of the sandbox lead, for this process and for pid
// 1, which may have other mounts.
func (e *evidence) checkPaths() {
	for _, path := range e.info.paths() {
		for _, root := range rootDirs() {
			e.checkPath(root + path)
		}
	}
}

func (e *evidence) checkPath(path string) {
	n := netstate.OpenNetns(path)
	defer n.Close()
	switch n.Kind {
	case netstate.Missing:
		e.note("%s does not exist", path)
	case netstate.NotNetns:
		e.note("%s %s", path, n.What)
	case netstate.Node:
		e.note("%s leads to the node", path)
	case netstate.Sandbox:
		e.isAnothers(n, path)
	default:
		e.unclear = true
		e.note("%s cannot be read: %v", path, n.Err)
	}
}

// isAnothers judges a namespace to which a path or a veth leads, and reports whether
// it is another pod's.
func (e *evidence) isAnothers(n *netstate.Netns, origin string) bool {
	cookie, err := n.Cookie()
	switch recorded := e.cookie(); {
	case recorded != 0 && err == nil && cookie == recorded:
		e.alive = true
		e.noteAlive("%s leads to the namespace that ADD recorded", origin)
		return false
	case recorded != 0 && err == nil:
		e.note("%s leads to another namespace than ADD recorded", origin)
		return true
	}
	has, err := e.hasPodAddress(n)
	switch {
	case err != nil:
		e.unclear = true
		e.note("%s leads to a namespace of unknown owner: %v", origin, err)
	case has:
		e.alive = true
		e.noteAlive("%s leads to a namespace where %s has the pod's address", origin, e.info.Attachment.IfName)
	default:
		e.note("%s leads to a namespace where %s has another address", origin, e.info.Attachment.IfName)
		return true
	}
	return false
}

// hasPodAddress reports whether the interface has one of the pod's addresses in the
// namespace. It returns an error if there is nothing to compare.
func (e *evidence) hasPodAddress(n *netstate.Netns) (bool, error) {
	want := e.info.Addrs(nil)
	if len(want) == 0 {
		return false, errors.New("the pod's address is unknown")
	}
	view, err := n.View()
	if err != nil {
		return false, err
	}
	defer view.Close()
	addrs, err := view.Addrs(e.info.Attachment.IfName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	global := false
	for _, a := range addrs {
		if slices.Contains(want, a.Addr().Unmap()) {
			return true, nil
		}
		global = global || a.Addr().IsGlobalUnicast()
	}
	if !global {
		return false, fmt.Errorf("%s has no address there", e.info.Attachment.IfName)
	}
	return false, nil
}
