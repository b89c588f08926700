// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// multus says what Multus, where the runtime takes it, waits for in vain.
func (j *judge) multus() {
	e := j.effective()
	if e == nil || !e.list.Multus() || j.in.DuringAdd {
		return
	}
	p := Problem{Kind: MultusIncomplete, File: e.name, Impact: "no pod can start"}
	h := e.list.MultusConfig()
	switch {
	case j.in.DaemonGone != "":
		p.What = "is Multus's file, and Multus is not there any more: " + j.in.DaemonGone
		p.Remedy = "let Multus's DaemonSet run on this node; if Multus was removed from the cluster on purpose, its file was left behind, and is to be removed with it"
	case h.ReadinessFile != "" && j.here(h.ReadinessFile) && !j.there(h.ReadinessFile):
		p.What = fmt.Sprintf("is Multus's file, and Multus waits on every ADD for %s, which is not there", QuoteName(h.ReadinessFile))
		p.Remedy = "see why the network plugin does not write that file; guardctl conf list shows whether it was put away"
	case h.Delegate == "" && h.ClusterNetwork != "" && filepath.IsAbs(h.ClusterNetwork) && j.here(h.ClusterNetwork) && j.delegate(e) == nil:
		p.What = fmt.Sprintf("is Multus's file, and hands pods on to %s, which is not there", QuoteName(h.ClusterNetwork))
		p.Remedy = "see why the network plugin does not write that file; guardctl conf list shows whether it was put away"
	default:
		return
	}
	j.add(p)
}

// attachments names the networks that Multus attaches pods to beside their own, and in
// whose list the guard is not. It says so only where the guard is installed.
func (j *judge) attachments() {
	if e := j.effective(); e == nil || !e.list.Multus() || !slices.ContainsFunc(j.files, (*file).guarded) {
		return
	}
	for _, a := range j.in.Attachments {
		if slices.Contains(a.Plugins, conflist.GuardType) || j.hasNetwork(a.Network) {
			continue
		}
		p := Problem{
			Kind: AttachmentUnguarded, Minor: true,
			What:   fmt.Sprintf("is not all that pods get: Multus attaches them to %s, and cni-guard is not among its plugins", DescribeNetwork(a.Network, a.Plugins)),
			Impact: "when the sandbox of such a pod is lost, its interface there is deleted wherever the path leads then",
			Remedy: `add {"type": "cni-guard"} as the last plugin to the list in the config of that NetworkAttachmentDefinition; a single plugin has to become a list for that`,
		}
		if a.IfName != "" {
			p.Evidence = fmt.Sprintf("a pod of this node had it as %s", QuoteName(a.IfName))
		}
		j.add(p)
	}
}

// hasNetwork reports whether a file of the folder has a network: that is a pod's own.
func (j *judge) hasNetwork(network string) bool {
	return slices.ContainsFunc(j.files, func(f *file) bool { return f.list.Name == network })
}

// here reports whether a path, perhaps one of a container, is of the folder.
func (j *judge) here(path string) bool {
	dir := filepath.Dir(path)
	return dir == j.sel.Dir || strings.HasSuffix(dir, "/etc/cni/net.d") && strings.HasSuffix(j.sel.Dir, "/etc/cni/net.d")
}

func (j *judge) there(path string) bool {
	_, err := os.Stat(j.sel.Path(filepath.Base(path)))
	return !errors.Is(err, fs.ErrNotExist)
}
