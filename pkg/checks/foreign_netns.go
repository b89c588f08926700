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

// ForeignNetns finds the sandbox of another pod. Reused process IDs lead there
// as easily as to the node (kubernetes/kubernetes#100648, comments).
var ForeignNetns = &Check{
	Name:      "foreign-netns",
	Summary:   "The end of one pod cuts the network of another: its sandbox path was reused, and the plugins delete the interface of the pod that lives there now.",
	Detection: "A live record of another container below /run/cni-guard/live has the cookie of the namespace (SO_NETNS_COOKIE). Or the cookie is not the one that ADD recorded in this boot, and CNI_IFNAME does not have the recorded address and MAC. Where there is no cookie to compare: CNI_IFNAME has global addresses, none of them is the pod's, and its MAC is not the pod's either, where that is known.",
	Remedy:    "Delete the pod that is ending if it stays. Then find out why the path leads there: a path below /proc when its process ID was reused, a pinned one when something mounted over it.",
	When:      guard.Del | guard.Verify,
	Default:   guard.Enforce,
	Code:      codeInvalidNetns,
	Needs:     []*Check{StaleNetns, HostNetns},
	Probe:     probeForeignNetns,
}

// A Holder is the container that a live record of this boot names for a
// namespace. The zero Holder is nobody.
type Holder struct {
	ContainerID string
	Pod         string // "namespace/name" where Kubernetes called, else ""
}

// String names the holder for people: "container 4f0e… (pod default/web)".
func (h Holder) String() string {
	if h.Pod == "" {
		return "container " + h.ContainerID
	}
	return fmt.Sprintf("container %s (pod %s)", h.ContainerID, h.Pod)
}

// probeForeignNetns asks for proof, cheapest first: the cookie that this
// attachment recorded, then the cookies that other attachments recorded, then the
// interface. A wrong "another pod's" leaves rules and addresses behind; a wrong
// "the pod's" costs another pod its network; so either needs evidence, and a MAC
// alone is none: pods change theirs, KubeVirt swaps the interface, and Calico
// reports no MAC.
func probeForeignNetns(ctx context.Context, t *Target) ([]guard.Finding, error) {
	switch {
	case t.Netns.Kind == netstate.Unknown:
		return nil, t.Netns.Err
	case t.Netns.Kind != netstate.Sandbox:
		return nil, nil // nobody's sandbox: what the checks before this one are for
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
			return nil, nil // another attachment of this very pod
		default:
			return finding(t, "is the sandbox of "+holder.String()+", whose ADD recorded its cookie"), nil
		}
		if t.Recorded != 0 {
			return restoredOrForeign(ctx, t)
		}
	}
	findings, lookErr := foreignByInterface(t)
	if len(findings) > 0 {
		return findings, nil
	}
	return nil, errors.Join(err, lookErr)
}

// holder asks the records of this boot, if there are any.
func (t *Target) holder(ctx context.Context, cookie uint64) (Holder, error) {
	if t.Holder == nil {
		return Holder{}, nil
	}
	return t.Holder(ctx, cookie)
}

// restoredOrForeign judges a namespace that is not the one which ADD recorded. A
// pod that was checkpointed and restored is in a new one, with its interface.
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

// foreignByInterface judges a namespace that has no cookie, or none on record.
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
	problem := fmt.Sprintf("is another pod's sandbox: %s has %s there, and the pod has %s", t.IfName, list(have), list(t.Want.Addrs))
	if comparesMAC {
		problem += fmt.Sprintf("; the MAC is %s there, and the pod's is %s", link.MAC, strings.ToLower(t.Want.MAC))
	}
	return finding(t, problem), nil
}

func finding(t *Target, problem string) []guard.Finding {
	return []guard.Finding{{
		Object: object(t), Problem: problem,
		Remedy: "Delete the pod that is ending if it stays. " + netnsRemedy(t.Netns.Path),
	}}
}

// hasOneOf reports whether one of the addresses wanted is there, whatever the
// prefix lengths.
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
