// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// ForeignNetns sees the sandbox of another pod. Reused process IDs lead there
// as easily as to the node (kubernetes/kubernetes#100648, comments).
var ForeignNetns = &Check{
	Name:     "foreign-netns",
	Prevents: "The end of one pod cuts the network of another: its sandbox path was reused, and the plugins delete the interface of the pod that lives there now.",
	Seen:     "The namespace has another cookie (SO_NETNS_COOKIE) than the one that ADD recorded in this boot under /run/cni-guard/live, and does not show the pod's interface either. Without a record, CNI_IFNAME is there with another MAC than the result of ADD gives.",
	Remedy:   "Delete the pod that is ending if it stays. Find out which runtime passes /proc/PID/ns/net paths (cri-dockerd does, and old CRI-O), and raise kernel.pid_max (sysctl -w kernel.pid_max=4194304).",
	When:     guard.Del | guard.Verify,
	Default:  guard.Enforce,
	Code:     codeInvalidNetns,
	Needs:    []*Check{StaleNetns, HostNetns},
	Probe:    probeForeignNetns,
}

// probeForeignNetns trusts the cookie where both are known and equal. Where
// they differ, only a sandbox that shows the same interface, with the same MAC
// and address, is the pod's own after all: one that was checkpointed and
// restored. Where no cookie is known, only another MAC is evidence.
func probeForeignNetns(_ context.Context, t *Target) ([]guard.Finding, error) {
	switch {
	case t.Netns.Kind == netstate.Unknown:
		return nil, t.Netns.Err
	case t.Netns.Kind != netstate.Sandbox:
		return nil, nil // nobody's sandbox: what the checks before this one are for
	}
	replaced, err := replacedSinceAdd(t)
	if err != nil {
		return nil, err
	}
	if replaced == sameNamespace {
		return nil, nil
	}
	link, err := t.Pod.Link(t.IfName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return replaced.finding(t, "is another namespace than the one that ADD recorded"), nil
	case err != nil:
		return replaced.finding(t, "is another namespace than the one that ADD recorded"), replaced.unless(err)
	case t.Want.MAC != "" && !strings.EqualFold(link.MAC.String(), t.Want.MAC):
		return finding(t, fmt.Sprintf("is another pod's sandbox: %s has MAC %s there, ADD gave %s", t.IfName, link.MAC, t.Want.MAC)), nil
	case shows(t):
		return nil, nil
	}
	return replaced.finding(t, "is another namespace than the one that ADD recorded"), nil
}

// A likeness is what the cookies tell.
type likeness uint8

const (
	noCookie         likeness = iota // one of the two is not known
	sameNamespace                    // equal
	anotherNamespace                 // they differ
)

func replacedSinceAdd(t *Target) (likeness, error) {
	if t.Recorded == 0 {
		return noCookie, nil
	}
	switch now, err := t.Cookie(); {
	case err != nil:
		return noCookie, fmt.Errorf("compare with the recorded namespace: %w", err)
	case now == t.Recorded:
		return sameNamespace, nil
	}
	return anotherNamespace, nil
}

// finding makes one only where the cookies are evidence.
func (l likeness) finding(t *Target, problem string) []guard.Finding {
	if l != anotherNamespace {
		return nil
	}
	return finding(t, problem)
}

// unless drops an error that no longer matters, as the cookies are evidence.
func (l likeness) unless(err error) error {
	if l == anotherNamespace {
		return nil
	}
	return err
}

func finding(t *Target, problem string) []guard.Finding {
	return []guard.Finding{{Object: object(t), Problem: problem}}
}

// shows reports whether the namespace shows what is known of the pod's interface.
// Some plugins, Calico among them, give no MAC; then the address must do.
func shows(t *Target) bool {
	known := t.Want.MAC != "" || len(t.Want.Addrs) > 0
	return known && hasOneOf(t, t.Want.Addrs)
}

// hasOneOf reports whether the pod's interface has one of the addresses, or
// none is known. MACs alone do not tell ipvlan pods apart: all have the parent's.
func hasOneOf(t *Target, want []netip.Prefix) bool {
	have, err := t.Pod.Addrs(t.IfName)
	if err != nil || len(want) == 0 {
		return err == nil
	}
	return slices.ContainsFunc(want, func(w netip.Prefix) bool {
		return slices.ContainsFunc(have, func(h netip.Prefix) bool { return h.Addr() == w.Addr() })
	})
}
