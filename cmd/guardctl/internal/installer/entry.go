// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// entry gives the guard's entry for a site: {"type": "cni-guard"}, and what it
// cannot know by itself. The conf dir is always said: the guard would look for a
// file with its network in all usual folders, and may find an old one. CRI-O's
// default network is not: the guard reads it where it decides.
func (r Request) entry() ([]byte, error) {
	e := struct {
		Type     string         `json:"type"`
		Mode     string         `json:"mode,omitempty"`
		ConfDir  string         `json:"confDir"`
		CacheDir string         `json:"cacheDir,omitempty"`
		Checks   map[string]any `json:"checks,omitempty"`
	}{Type: conflist.GuardType, Mode: r.Mode}
	e.ConfDir = r.named.ConfDir // a link may lead elsewhere tomorrow, as microk8s's does
	if !slices.Contains(release.CacheDirs(), r.Site.CacheDir) {
		e.CacheDir = r.Site.CacheDir
	}
	options := map[string]any{}
	if run := r.Site.Runtime; run.Kind == conflist.Containerd && run.MaxConfNum != 1 {
		options["maxConfNum"] = max(0, run.MaxConfNum)
	}
	if len(r.Allow) > 0 {
		options["allow"] = r.Allow
	}
	if len(options) > 0 {
		e.Checks = map[string]any{"conflist": options}
	}
	doc, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write entry of the guard: %w", err)
	}
	return doc, nil
}

// entryIn returns the guard's entry of a list, nil where there is none, or where the
// list is broken, which whoever edits it reports.
func entryIn(doc []byte) json.RawMessage {
	l, err := conflist.Parse("x.conflist", doc)
	if err != nil {
		return nil
	}
	return l.GuardEntry()
}
