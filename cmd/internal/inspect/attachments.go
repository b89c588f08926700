// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/internal/attachment"
	"github.com/cni-guard/cni-guard/cmd/internal/cri"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// podInterface is the interface of a pod's main network, with every runtime.
const podInterface = "eth0"

// Attachments looks at the pods that are attached already, by the runtime's cache:
// those on another network than the intended one, those that a runtime which
// deletes from its cache will delete without the guard, and addresses that are held
// for sandboxes that are gone. The last two are minor. The error says that the
// cache cannot be read.
func Attachments(ctx context.Context, s site.Site, a assess.Assessment, stateDir string) ([]Problem, error) {
	cached, err := attachment.ListCached(s.CacheDir)
	if err != nil {
		return nil, err
	}
	known := ask(ctx, s)
	all := onOtherNetworks(s, a, cached, known, stateDir)
	byMultus, err := onOtherDelegates(s, a, known, stateDir)
	if err != nil {
		return nil, err
	}
	all = append(all, byMultus...)
	all = append(all, olderThanGuard(a, cached)...)
	orphans, err := Orphans(ctx, s, a, stateDir, "")
	for _, o := range orphans {
		all = append(all, o.problem())
	}
	return all, err
}

// sandboxes are the IDs of those that the runtime knows.
type sandboxes struct {
	ids   map[string]bool
	asked bool // it answered
}

// ask asks the runtime for its sandboxes.
func ask(ctx context.Context, s site.Site) sandboxes {
	if s.Socket == "" {
		return sandboxes{}
	}
	list, err := cri.At(s.Socket).Sandboxes(ctx)
	if err != nil {
		return sandboxes{}
	}
	known := sandboxes{map[string]bool{}, true}
	for _, sandbox := range list {
		known.ids[sandbox.ID] = true
	}
	return known
}

// onOtherNetworks lists the pods that live on a network of no file that may serve
// them. It lists none where the network of the node is not known: the intended file
// cannot be read, or is a sample because nothing else is there.
func onOtherNetworks(s site.Site, a assess.Assessment, cached []attachment.Cached, known sandboxes, stateDir string) (all []Problem) {
	intended := fileOf(a, a.Intended)
	if intended == nil || intended.Network == "" || a.Basis == assess.ByExclusion && assess.IsSample(*intended) {
		return nil
	}
	now := a.Selection.Effective()
	right := rightful(s, a)
	for _, c := range cached {
		if right[c.Network] || !lives(c, known, stateDir) {
			continue
		}
		all = append(all, onOtherNetwork(c, intended.Network, now != nil && right[now.Network]))
	}
	return all
}

// lives reports whether an attachment is the main one of a pod that lives.
func lives(c attachment.Cached, known sandboxes, stateDir string) bool {
	if c.IfName != podInterface || known.asked && !known.ids[c.ContainerID] {
		return false
	}
	return c.HasNamespace() || attachment.Lookup(c.Attachment, stateDir).Liveness().Verdict == release.Alive
}

// onOtherNetwork returns the finding. Unless a pod that starts now gets the intended
// network, to start the pod again does not help, and the command is left out.
func onOtherNetwork(c attachment.Cached, intended string, helps bool) Problem {
	p := Problem{Object: podName(c.Pod, c.ContainerID), Problem: assess.Problem{
		Kind: PodOnOtherNetwork, What: fmt.Sprintf("is attached to network %q, not to %q", c.Network, intended),
		Evidence: "its attachment is in " + c.Path,
		Impact:   "it keeps that network, which may lead nowhere, until the pod is recreated",
		Remedy:   "stop the pod and start it again",
	}}
	if !helps {
		p.Remedy = fmt.Sprintf("let pods get network %q again first (see guardctl conf), and then recreate the pod", intended)
		return p
	}
	if namespace, name, ok := strings.Cut(c.Pod, "/"); ok {
		p.Command = fmt.Sprintf("kubectl delete pod -n %s %s", printable.Word(namespace), printable.Word(name))
		p.Remedy = "its controller creates it again; a pod without a controller must be created by hand"
	}
	return p
}

// rightful returns the networks that pods may have: those of files that are
// intended, benign or attached beside the intended one, those that Multus has in its own
// file, and those of the directories of runtime classes.
func rightful(s site.Site, a assess.Assessment) map[string]bool {
	right := map[string]bool{"cni-loopback": true} // go-cni's own
	for _, f := range a.Selection.Files {
		role := a.Role(f.Name)
		if role == assess.Keep || role == assess.Benign || role == assess.Unknown || f.Verdict == conflist.Attached && role != assess.Rogue {
			right[f.Network] = true
			if l, err := a.Selection.Read(f.Name); err == nil && f.Multus() {
				right[l.MultusConfig().Delegate] = true
			}
		}
	}
	for _, dir := range s.ClassDirs {
		names, _ := conflist.Names(dir) // a directory that is not there has no network
		for _, name := range names {
			if l, err := conflist.Read(dir, name); err == nil {
				right[l.Name] = true
			}
		}
	}
	return right
}

func fileOf(a assess.Assessment, name string) *conflist.File {
	for i := range a.Selection.Files {
		if name != "" && a.Selection.Files[i].Name == name {
			return &a.Selection.Files[i]
		}
	}
	return nil
}

// shownPods is how many pods one problem names.
const shownPods = 10

// olderThanGuard lists the pods of the intended network that were attached before
// the guard was in its list. CRI-O has libcni delete by the list that it cached at
// ADD (ocicni v0.5.0), so that nothing guards that DEL; containerd and cri-dockerd
// take the list of the day.
func olderThanGuard(a assess.Assessment, cached []attachment.Cached) []Problem {
	intended := fileOf(a, a.Intended)
	if a.Selection.Runtime.Kind != conflist.CRIO || intended == nil || !slices.Contains(intended.Plugins, conflist.GuardType) {
		return nil
	}
	var names []string
	for _, c := range cached {
		if c.Network == intended.Network && c.IfName == podInterface && !slices.Contains(c.Plugins, conflist.GuardType) && c.HasNamespace() {
			names = append(names, podName(c.Pod, c.ContainerID))
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	text := strings.Join(names, ", ")
	if len(names) > shownPods {
		text = fmt.Sprintf("%s and %d more", strings.Join(names[:shownPods], ", "), len(names)-shownPods)
	}
	return []Problem{{Object: fmt.Sprintf("%d of the pods", len(names)), Problem: assess.Problem{
		Kind: PodsUnguarded, Minor: true,
		What:     "were attached before cni-guard was in the list: " + text,
		Evidence: "CRI-O deletes a pod by the list that it cached when the pod started",
		Impact:   "their DEL is not guarded",
		Remedy:   "nothing is urgent: each is guarded from its next start on (kubectl rollout restart, or kubectl delete pod -n NAMESPACE NAME)",
	}}}
}

// podName names a pod for people.
func podName(pod, containerID string) string {
	id := containerID
	if len(id) > 13 {
		id = id[:13] // as crictl prints it
	}
	return cmp.Or(pod, "container "+id)
}
