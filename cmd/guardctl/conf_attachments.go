// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// attachments returns the networks that Multus attaches pods to beside their own, as
// far as this node knows them: by what libcni wrote down of them (Multus's cniDir), and
// by Multus's files (its confDir, multus/net.d beside the runtime's). A network that no
// pod of this node has is not known.
func (n *confNode) attachments(s conflist.Selection) (all []assess.Attachment) {
	e := s.Effective()
	if e == nil || !e.Multus() {
		return nil
	}
	results, files := filepath.Join(n.site.CacheDir, "multus", "results"), filepath.Join(filepath.Dir(n.dir), "multus", "net.d")
	for _, path := range regularFiles(results) {
		content, err := os.ReadFile(path)
		var entry struct {
			NetworkName string `json:"networkName"`
			IfName      string `json:"ifName"`
			Config      []byte `json:"config"`
		}
		if err != nil || json.Unmarshal(content, &entry) != nil {
			continue // not one of libcni's
		}
		all = addAttachment(all, entry.NetworkName, entry.IfName, entry.Config)
	}
	for _, path := range regularFiles(files) {
		if content, err := os.ReadFile(path); err == nil {
			all = addAttachment(all, "", "", content)
		}
	}
	return all
}

// addAttachment adds a network once, if its configuration can be read.
func addAttachment(all []assess.Attachment, network, ifName string, config []byte) []assess.Attachment {
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

// regularFiles returns the files of a folder, none where it cannot be read.
func regularFiles(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type().IsRegular() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}
