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

// ForeignNetns reports a CNI_NETNS that leads to the sandbox of another pod, as it does
// after a process ID was reused (kubernetes/kubernetes#100648, comments).
var ForeignNetns = &Check{
	ID:        "CG103",
	Name:      "foreign-netns",
	Summary:   "Deleting one pod cuts the network of another, because the sandbox path of the first was reused and now leads to the second.",
	Detection: "The namespace has the cookie (SO_NETNS_COOKIE) that a live record of another container has below `/run/cni-guard/live`. Or its cookie differs from the one that ADD recorded in this boot, and `CNI_IFNAME` does not have the recorded address and MAC. Or there is no cookie to compare, `CNI_IFNAME` has global addresses but none of the pod, and its MAC, if known, is not the pod's either.",
	Remedy:    "Delete the pod that is being removed if it does not go away. Then find out why the path leads to another pod: the process ID of a path below `/proc` was reused, or something mounted over a pinned path.",
	When:      guard.Del | guard.Verify,
	Default:   guard.Enforce,
	Code:      codeInvalidNetns,
	Needs:     []*Check{StaleNetns, HostNetns},
	Probe:     probeForeignNetns,
}

// A Holder is the container whose live record of this boot has the cookie of a
// namespace. The zero Holder means that there is none.
type Holder struct {
	ContainerID string
	Pod         string // "namespace/name" where Kubernetes called, else ""
}

// String returns "container 4f0e… (pod default/web)".
func (h Holder) String() string {
	if h.Pod == "" {
		return "container " + h.ContainerID
	}
	return fmt.Sprintf("container %s (pod %s)", h.ContainerID, h.Pod)
}

// probeForeignNetns compares the cookie that this attachment recorded, then those that
// other attachments recorded, then the interface: the cheapest first. A wrong "another
// pod's" leaves rules and addresses behind; a wrong "the pod's" costs another pod its
// network. So both need evidence. A MAC alone is none: pods change theirs, KubeVirt swaps
// the interface, and Calico reports no MAC.
func probeForeignNetns(ctx context.Context, t *Target) ([]guard.Finding, error) {
	switch {
	case t.Netns.Kind == netstate.Unknown:
		return nil, t.Netns.Err
	case t.Netns.Kind != netstate.Sandbox:
		return nil, nil // stale-netns and host-netns judge what is not a sandbox
	}
	cookie, err := t.Cookie()
	switch {
	case err != nil && t.Recorded == 0:
		err = nil // a kernel older than 5.14 has no cookies, and ADD recorded none
	case err != nil:
		err = fmt.Errorf("compare with the recorded namespace: %w", err)
	case cookie == t.Recorded:
		return nil, nil
	default:
		var holder Holder
		holder, err = t.holder(ctx, cookie)
		switch {
		case holder == Holder{}:
		case holder.ContainerID == t.ContainerID:
			return nil, nil // another attachment of the same pod
		default:
			return finding(t, "is the sandbox of "+holder.String()+", whose ADD recorded its cookie"), nil
		}
		if t.Recorded != 0 {
			return restoredOrForeign(ctx, t)
		}
	}
	findings, readErr := foreignByInterface(t)
	if len(findings) > 0 {
		return findings, nil
	}
	return nil, errors.Join(err, readErr)
}

// holder returns the container whose record has the cookie; the zero Holder where
// there are no records.
func (t *Target) holder(ctx context.Context, cookie uint64) (Holder, error) {
	if t.Holder == nil {
		return Holder{}, nil
	}
	return t.Holder(ctx, cookie)
}

// restoredOrForeign judges a namespace whose cookie is not the one that ADD recorded. A
// pod that was checkpointed and restored has a new namespace and its old interface.
func restoredOrForeign(ctx context.Context, t *Target) ([]guard.Finding, error) {
	foreign := finding(t, "is another namespace than the one that ADD recorded")
	guard.Hold(ctx, foreign...)
	link, err := t.Pod.Link(t.IfName)
	if err != nil {
		return foreign, nil // the cookies are evidence, whatever the interface would have said
	}
	if t.Want.MAC != "" && !strings.EqualFold(link.MAC.String(), t.Want.MAC) {
		return foreign, nil
	}
	have, err := t.Pod.Addrs(t.IfName)
	if err != nil || !hasOneOf(have, t.Want.Addrs) {
		return foreign, nil
	}
	return nil, nil
}

// foreignByInterface judges a namespace without a cookie, or without a recorded one, by
// its interface.
func foreignByInterface(t *Target) ([]guard.Finding, error) {
	if len(t.Want.Addrs) == 0 {
		return nil, nil
	}
	link, err := t.Pod.Link(t.IfName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// All ipvlan interfaces have the MAC of their parent.
	comparesMAC := t.Want.MAC != "" && link.Kind != "ipvlan"
	if comparesMAC && strings.EqualFold(link.MAC.String(), t.Want.MAC) {
		return nil, nil
	}
	have, err := t.Pod.Addrs(t.IfName)
	if err != nil {
		return nil, err
	}
	have = slices.DeleteFunc(have, func(p netip.Prefix) bool { return !p.Addr().IsGlobalUnicast() })
	if len(have) == 0 || hasOneOf(have, t.Want.Addrs) {
		return nil, nil
	}
	evidence := fmt.Sprintf("%s has %s there, and the pod has %s", t.IfName, list(have), list(t.Want.Addrs))
	if comparesMAC {
		evidence += fmt.Sprintf("; the MAC is %s there, and the pod's is %s", link.MAC, strings.ToLower(t.Want.MAC))
	}
	found := finding(t, "is another pod's sandbox")
	found[0].Evidence = evidence
	return found, nil
}

func finding(t *Target, problem string) []guard.Finding {
	return []guard.Finding{{
		Object: object(t), Problem: problem, Impact: "the plugins would change the network of another pod",
		Remedy: "Delete the pod that is being removed if it does not go away. " + netnsRemedy(t.Netns.Path),
	}}
}

// hasOneOf reports whether have contains a wanted address, whatever the prefix lengths.
func hasOneOf(have, want []netip.Prefix) bool {
	return slices.ContainsFunc(want, func(w netip.Prefix) bool { return holds(have, w.Addr()) })
}

// list returns the addresses, separated by commas.
func list(prefixes []netip.Prefix) string {
	addrs := make([]string, len(prefixes))
	for i, p := range prefixes {
		addrs[i] = p.Addr().String()
	}
	return strings.Join(addrs, ", ")
}
