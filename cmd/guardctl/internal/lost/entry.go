// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// An entry is what libcni's cache has of an attachment. The zero entry knows
// nothing.
type entry struct {
	ContainerID string
	Network     string
	Netns       string // CNI_NETNS of the ADD
	Interfaces  []cachedInterface
	Addrs       []netip.Addr
	Bridges     []string  // names of bridges in the configuration
	Written     time.Time // when the ADD ended
}

// A cachedInterface is an interface of the result of ADD.
type cachedInterface struct {
	Name    string `json:"name"`
	MAC     string `json:"mac"`
	Sandbox string `json:"sandbox"`
}

// A result is what ADD answered, in any version of the spec.
type result struct {
	Interfaces []*cachedInterface `json:"interfaces"`
	IPs        []*struct {
		Address string `json:"address"`
	} `json:"ips"`
	IP4, IP6 *struct { // before 0.3.0
		IP string `json:"ip"`
	}
}

// readEntry reads a file of libcni's cache. Very old runtimes wrote nothing but
// the result.
func readEntry(path string) (entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return entry{}, fmt.Errorf("read cache entry: %w", err)
	}
	var cached struct {
		Kind        string          `json:"kind"`
		ContainerID string          `json:"containerId"`
		Network     string          `json:"networkName"`
		Netns       string          `json:"netns"`
		Config      []byte          `json:"config"`
		Result      json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(data, &cached); err != nil {
		return entry{}, fmt.Errorf("read cache entry %s: %w", path, err)
	}
	e := entry{ContainerID: cached.ContainerID, Network: cached.Network, Netns: cached.Netns}
	if cached.Kind == "" {
		cached.Result = data
	}
	e.takeResult(cached.Result)
	e.takeBridges(cached.Config)
	if info, err := os.Stat(path); err == nil {
		e.Written = info.ModTime()
	}
	return e, nil
}

// takeResult takes what it can: a result that makes no sense says nothing.
func (e *entry) takeResult(data []byte) {
	var r result
	if json.Unmarshal(data, &r) != nil {
		return
	}
	for _, i := range r.Interfaces {
		if i != nil {
			e.Interfaces = append(e.Interfaces, *i)
		}
	}
	var texts []string
	for _, ip := range r.IPs {
		if ip != nil {
			texts = append(texts, ip.Address)
		}
	}
	for _, ip := range []*struct {
		IP string `json:"ip"`
	}{r.IP4, r.IP6} {
		if ip != nil {
			texts = append(texts, ip.IP)
		}
	}
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			e.Addrs = append(e.Addrs, p.Addr().Unmap())
		}
	}
}

// podMAC returns the MAC of an interface in the sandbox; "" where the result has none.
func (e *entry) podMAC(ifName string) string {
	for _, i := range e.Interfaces {
		if i.Name == ifName && i.Sandbox != "" {
			return i.MAC
		}
	}
	return ""
}

// takeBridges notes the bridges that plugins of the chain use: they stay on the
// node when the pod is gone, and say nothing of it.
func (e *entry) takeBridges(config []byte) {
	type plugin struct {
		Type   string `json:"type"`
		Bridge string `json:"bridge"`
	}
	var list struct {
		Plugins []plugin `json:"plugins"`
		plugin           // a single configuration
	}
	e.Bridges = []string{"cni0"} // what bridge and flannel use without a name
	if json.Unmarshal(config, &list) != nil {
		return
	}
	for _, p := range append(list.Plugins, list.plugin) {
		if p.Bridge != "" {
			e.Bridges = append(e.Bridges, p.Bridge)
		}
	}
}

// cached lists the entries of a cache, by the name of their file. The error wraps
// fs.ErrNotExist where there is no cache.
func cached(cacheDir string) (map[string]entry, error) {
	dir := filepath.Join(cacheDir, "results")
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list cache: %w", err)
	}
	entries := map[string]entry{}
	for _, f := range files {
		e, err := readEntry(filepath.Join(dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err == nil {
			entries[f.Name()] = e
		}
	}
	return entries, nil
}

// idIn takes the container ID out of the name of an entry's file, which libcni
// joins with dashes, of which each part may contain some.
func idIn(name string, e entry, network, ifName string) (string, bool) {
	id, ok := strings.CutPrefix(name, network+"-")
	if ok {
		id, ok = strings.CutSuffix(id, "-"+ifName)
	}
	if !ok || id == "" || e.Network != "" && e.Network != network {
		return "", false
	}
	if e.ContainerID != "" && e.ContainerID != id {
		return "", false
	}
	return id, true
}
