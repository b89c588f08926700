// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cni-guard/cni-guard/cmd/internal/attachment"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// multusCaches returns where Multus caches what it attached (its cniDir): beside the
// runtime's cache, and its default.
func multusCaches(s site.Site) []string {
	dirs := []string{filepath.Join(s.CacheDir, "multus")}
	if usual := "/var/lib/cni/multus"; dirs[0] != usual {
		dirs = append(dirs, usual)
	}
	return dirs
}

// MultusNetworks returns the networks that Multus, where the runtime takes it, attaches
// pods to beside their own, as far as this node knows them: by what libcni wrote down of
// them in Multus's cache, and by Multus's files (its confDir, multus/net.d beside the
// runtime's). A network that no pod of this node has is not known.
func MultusNetworks(s site.Site, selection conflist.Selection) (all []assess.Attachment) {
	e := selection.Effective()
	if e == nil || !e.Multus() {
		return nil
	}
	for _, dir := range multusCaches(s) {
		for _, path := range regularFiles(filepath.Join(dir, "results")) {
			content, err := os.ReadFile(path)
			var entry struct {
				NetworkName string `json:"networkName"`
				IfName      string `json:"ifName"`
				Config      []byte `json:"config"`
			}
			if err != nil || json.Unmarshal(content, &entry) != nil {
				continue // not one of libcni's
			}
			all = addNetwork(all, entry.NetworkName, entry.IfName, entry.Config)
		}
	}
	for _, path := range regularFiles(filepath.Join(filepath.Dir(s.ConfDir), "multus", "net.d")) {
		if content, err := os.ReadFile(path); err == nil {
			all = addNetwork(all, "", "", content)
		}
	}
	return all
}

// addNetwork adds a network once, if its configuration can be read.
func addNetwork(all []assess.Attachment, network, ifName string, config []byte) []assess.Attachment {
	l, err := conflist.Parse("x.conflist", config)
	if err != nil || len(l.Plugins) == 0 {
		l, err = conflist.Parse("x.conf", config)
	}
	if err != nil {
		return all
	}
	if network == "" {
		network = l.Name
	}
	if slices.ContainsFunc(all, func(a assess.Attachment) bool { return a.Network == network }) {
		return all
	}
	return append(all, assess.Attachment{Network: network, IfName: ifName, Plugins: l.Types()})
}

// regularFiles returns the files of a directory, none where it cannot be read.
func regularFiles(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type().IsRegular() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// onOtherDelegates lists the pods whose main interface Multus attached to a network that
// no file here allows. That is certain of the network of a rogue, or of a file
// that was put in quarantine. Any other may be the one that the pod asked for
// (v1.multus-cni.io/default-network), so that it is a minor problem without a command;
// and the result is unknown where Multus's network is an object of the cluster.
func onOtherDelegates(s site.Site, a assess.Assessment, known sandboxes, stateDir string) (all []Problem, err error) {
	e, intended := a.Selection.Effective(), fileOf(a, a.Intended)
	if e == nil || !e.Multus() || intended == nil || intended.Network == "" {
		return nil, nil
	}
	right, wrong := rightful(s, a), wrongful(a)
	for _, dir := range multusCaches(s) {
		cached, err := attachment.ListCached(dir)
		if err != nil {
			return nil, err
		}
		for _, c := range cached {
			if right[c.Network] || !wrong[c.Network] && intended.Multus() || !lives(c, known, stateDir) {
				continue
			}
			p := onOtherNetwork(c, intended.Network, right[e.Network])
			if !wrong[c.Network] {
				p.Minor, p.Command = true, ""
				p.Impact = "it keeps that network until the pod is recreated"
				p.Remedy = "stop the pod and start it again, unless it asks for that network (annotation v1.multus-cni.io/default-network)"
			}
			p.What = fmt.Sprintf("was attached by Multus to network %q, not to %q", c.Network, intended.Network)
			if intended.Multus() {
				p.What = fmt.Sprintf("was attached by Multus to network %q, whose file is a rogue or in quarantine", c.Network)
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// wrongful returns the networks of rogues and of files in quarantine.
func wrongful(a assess.Assessment) map[string]bool {
	wrong := map[string]bool{}
	for _, f := range a.Files {
		if f.Role == assess.Rogue {
			wrong[f.Network] = true
		}
	}
	records, _ := quarantine.List(a.Selection.Dir) // a directory that cannot be listed has none
	for _, r := range records {
		content, err := os.ReadFile(a.Selection.Path(r.Quarantined))
		if err != nil {
			continue
		}
		if l, err := conflist.Parse(r.File, content); err == nil {
			wrong[l.Name] = true
		}
	}
	return wrong
}
