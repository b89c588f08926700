// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A Judgement says whether the sandbox of an attachment lives, and why.
type Judgement struct {
	Verdict  release.Verdict
	Evidence []string // clauses for people, those that decided first
	decided  int      // how many decided
}

// Because lists the evidence that decided; all of it where nothing did.
func (j Judgement) Because() []string {
	if j.decided == 0 {
		return j.Evidence
	}
	return j.Evidence[:j.decided]
}

// teardown is how long the links of a namespace may outlive its last user: the
// kernel removes them in the background.
const teardown = time.Second / 5

// Judge looks whether the sandbox lives.
//
// What was recorded of it decides, in this order: a namespace with its cookie
// lives; a veth on the node that is the pod's has a peer in a living namespace.
// It is gone if its veths are, as they end with it, or if it was recorded before
// the last boot, or if no process on the node and no pin has its cookie. A path that
// leads nowhere proves nothing: this mount namespace may not have the pin, as in
// "kubectl debug node".
func (k Known) Judge() Judgement {
	for began := time.Now(); ; time.Sleep(teardown / 10) {
		s := k.look()
		if !s.onlyByVeth() || time.Since(began) > teardown {
			return s.judgement()
		}
	}
}

// A sight is what one look brought.
type sight struct {
	k     Known
	lives []string // what says that it lives
	ended []string // what says that it does not
	says  []string // what says neither
	alive bool     // by cookie or by address
	veth  bool     // a veth whose peer is away is the pod's, by its MAC
	gone  int      // veths of the pod that are gone
	vague bool     // something is there that may be the pod's

	searched bool // no process has the recorded cookie, and all were asked
}

func (k Known) look() *sight {
	s := &sight{k: k}
	if k.trouble != nil {
		s.vague = true
		s.say("not all that is on record can be read: %v", k.trouble)
	}
	spaces := findSpaces()
	defer spaces.close()
	s.lookAtCookie(spaces)
	s.lookAtPaths()
	s.lookAtVeths(spaces)
	return s
}

func (s *sight) sayAlive(format string, a ...any) {
	s.lives = append(s.lives, fmt.Sprintf(format, a...))
}

func (s *sight) sayGone(format string, a ...any) {
	s.ended = append(s.ended, fmt.Sprintf(format, a...))
}

func (s *sight) say(format string, a ...any) { s.says = append(s.says, fmt.Sprintf(format, a...)) }

func (s *sight) onlyByVeth() bool { return s.veth && !s.alive }

func (s *sight) judgement() Judgement {
	verdict := release.CannotTell
	switch {
	case s.alive, s.veth:
		verdict = release.Alive
	case s.vague:
	case s.gone > 0, s.k.earlier():
		verdict = release.Gone
	case s.searched && len(s.hostInterfaces()) == 0:
		verdict = release.Gone
	}
	if s.k.earlier() {
		s.sayGone("it was recorded before the last boot")
	}
	var j Judgement
	switch verdict {
	case release.Alive:
		j = Judgement{verdict, slices.Concat(s.lives, s.ended, s.says), len(s.lives)}
	case release.Gone:
		j = Judgement{verdict, slices.Concat(s.ended, s.lives, s.says), len(s.ended)}
	default:
		j = Judgement{verdict, slices.Concat(s.says, s.lives, s.ended), 0}
	}
	if len(j.Evidence) == 0 {
		j.Evidence = []string{"nothing is on record that could tell"}
	}
	return j
}

// cookie returns the cookie that ADD recorded in this boot; 0 for none.
func (s *sight) cookie() uint64 {
	if s.k.record == nil || s.k.earlier() {
		return 0
	}
	return s.k.record.Cookie
}

// lookAtCookie looks for the recorded namespace among those that can be seen.
func (s *sight) lookAtCookie(spaces *spaces) {
	cookie := s.cookie()
	if cookie == 0 {
		return
	}
	if at := spaces.withCookie(cookie); at != nil {
		s.alive = true
		s.sayAlive("the namespace that ADD recorded lives: %s", at.where)
		return
	}
	if spaces.complete {
		s.searched = true
		s.sayGone("no process is in the namespace that ADD recorded, and nothing pins it")
	}
	if spaces.trouble != nil {
		s.say("not every process could be asked, which takes root with CAP_SYS_ADMIN and CAP_SYS_PTRACE: %v", spaces.trouble)
	}
}

// lookAtPaths looks where the paths of the sandbox lead, here and for pid 1,
// which may have other mounts.
func (s *sight) lookAtPaths() {
	for _, path := range s.k.paths() {
		for _, root := range roots() {
			s.lookAtPath(root + path)
		}
	}
}

func (s *sight) lookAtPath(path string) {
	n := netstate.OpenNetns(path)
	defer n.Close()
	switch n.Kind {
	case netstate.Missing:
		s.say("nothing is at %s", path)
	case netstate.NotNetns:
		s.say("%s %s", path, n.What)
	case netstate.Node:
		s.say("%s leads to the node", path)
	case netstate.Sandbox:
		s.lookInside(n, path)
	default:
		s.vague = true
		s.say("%s cannot be read: %v", path, n.Err)
	}
}

// lookInside judges a namespace that a path, or a veth, leads to, and reports
// whether it is another's.
func (s *sight) lookInside(n *netstate.Netns, what string) (anothers bool) {
	cookie, err := n.Cookie()
	switch mine := s.cookie(); {
	case mine != 0 && err == nil && cookie == mine:
		s.alive = true
		s.sayAlive("%s leads to the namespace that ADD recorded", what)
		return false
	case mine != 0 && err == nil:
		s.say("%s leads to another namespace than ADD recorded", what)
		return true
	}
	has, err := s.hasAddress(n)
	switch {
	case err != nil:
		s.vague = true
		s.say("%s leads to a namespace, and whose it is cannot be told: %v", what, err)
	case has:
		s.alive = true
		s.sayAlive("%s leads to a namespace where %s has the pod's address", what, s.k.Attachment.IfName)
	default:
		s.say("%s leads to a namespace where %s has another address", what, s.k.Attachment.IfName)
		return true
	}
	return false
}

// hasAddress reports whether the interface has one of the pod's addresses in the
// namespace. It is an error where there is nothing to compare.
func (s *sight) hasAddress(n *netstate.Netns) (bool, error) {
	want := s.k.Addrs(nil)
	if len(want) == 0 {
		return false, errors.New("the pod's address is not known")
	}
	view, err := n.View()
	if err != nil {
		return false, err
	}
	defer view.Close()
	addrs, err := view.Addrs(s.k.Attachment.IfName)
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
		return false, fmt.Errorf("%s has no address there", s.k.Attachment.IfName)
	}
	return false, nil
}
