// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// entry gives the guard's entry for a site: {"type": "cni-guard"}, and what it
// cannot know by itself.
func (r Request) entry() ([]byte, error) {
	e := struct {
		Type     string         `json:"type"`
		Mode     string         `json:"mode,omitempty"`
		ConfDir  string         `json:"confDir,omitempty"`
		CacheDir string         `json:"cacheDir,omitempty"`
		Checks   map[string]any `json:"checks,omitempty"`
	}{Type: conflist.GuardType, Mode: r.Mode}
	if !slices.Contains(conflist.ConfDirs(), filepath.Clean(r.named.ConfDir)) {
		e.ConfDir = r.named.ConfDir // a link may lead elsewhere tomorrow, as microk8s's does
	}
	if !slices.Contains(release.CacheDirs(), r.Site.CacheDir) {
		e.CacheDir = r.Site.CacheDir
	}
	options := map[string]any{}
	if run := r.Site.Runtime; run.Kind == conflist.Containerd && run.MaxConfNum != 1 {
		options["maxConfNum"] = max(0, run.MaxConfNum)
	} else if run.Kind == conflist.CRIO && run.DefaultNetwork != "" {
		options["defaultNetwork"] = run.DefaultNetwork
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
