// SPDX-License-Identifier: Apache-2.0

package attachment

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

	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Cached is an attachment in the cache of a runtime's libcni. The zero value means
// that nothing is cached.
type Cached struct {
	chain.Attachment           // without Args, ConfDirs and BinDirs
	Path             string    // of the entry
	Pod              string    // "namespace/name", or "" if Kubernetes did not call
	Netns            string    // CNI_NETNS of the ADD
	Plugins          []string  // types of the plugins of the configuration that ADD was called with
	Written          time.Time // when the ADD ended

	interfaces []cachedInterface
	addrs      []netip.Addr // of the pod
	bridges    []string     // bridges that the configuration names
}

// cachedInterface is an interface in the result of an ADD.
type cachedInterface struct {
	Name    string `json:"name"`
	MAC     string `json:"mac"`
	Sandbox string `json:"sandbox"`
}

// ListCached returns the attachments in a cache. It leaves out entries that cannot be
// parsed, and those of runtimes older than libcni 0.7, which do not name the
// attachment. A missing cache is no error.
func ListCached(cacheDir string) ([]Cached, error) {
	entries, err := readCache(cacheDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Cached
	for _, c := range entries {
		if c.ContainerID != "" && c.Network != "" && c.IfName != "" {
			all = append(all, c)
		}
	}
	return all, nil
}

// HasNamespace reports whether the namespace path of the attachment leads to a
// network namespace other than the node's. It does so for nearly every running pod,
// and costs little; where it is false, Info.Liveness knows more.
func (c Cached) HasNamespace() bool {
	n := netstate.OpenNetns(c.Netns)
	defer n.Close()
	return n.Kind == netstate.Sandbox
}

// readCache returns the entries of a cache in the order of their file names. It leaves
// out files that hold no entry. The error wraps fs.ErrNotExist if there is no cache.
func readCache(cacheDir string) ([]Cached, error) {
	dir := filepath.Join(cacheDir, "results")
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list cache: %w", err)
	}
	var entries []Cached
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		c, err := readCached(filepath.Join(dir, f.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNotEntry):
			continue // removed meanwhile, or not an entry
		case err != nil:
			return nil, fmt.Errorf("list cache: %w", err)
		}
		c.CacheDir = cacheDir
		entries = append(entries, c)
	}
	return entries, nil
}

// errNotEntry means that a file in the cache cannot be parsed.
var errNotEntry = errors.New("is not an entry of libcni's cache")

// readCached reads one entry. Runtimes older than libcni 0.7 stored only the result.
func readCached(path string) (Cached, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Cached{}, fmt.Errorf("read cache entry: %w", err)
	}
	var entry struct {
		Kind        string          `json:"kind"`
		ContainerID string          `json:"containerId"`
		Network     string          `json:"networkName"`
		IfName      string          `json:"ifName"`
		Netns       string          `json:"netns"`
		Args        [][2]string     `json:"cniArgs"`
		Config      []byte          `json:"config"`
		Result      json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(data, &entry); err != nil {
		return Cached{}, fmt.Errorf("read cache entry: %s %w: %w", path, errNotEntry, err)
	}
	if entry.Kind == "" {
		entry.Result = data
	}
	c := Cached{
		Attachment: chain.Attachment{ContainerID: entry.ContainerID, IfName: entry.IfName, Network: entry.Network},
		Path:       path, Netns: entry.Netns, Pod: podName(entry.Args),
	}
	c.parseResult(entry.Result)
	c.parseConfig(entry.Config)
	if info, err := os.Stat(path); err == nil {
		c.Written = info.ModTime()
	}
	return c, nil
}

// podName returns "namespace/name" from CNI_ARGS, or "".
func podName(args [][2]string) string {
	var namespace, name string
	for _, pair := range args {
		switch pair[0] {
		case "K8S_POD_NAMESPACE":
			namespace = pair[1]
		case "K8S_POD_NAME":
			name = pair[1]
		}
	}
	if namespace == "" || name == "" {
		return ""
	}
	return namespace + "/" + name
}

// parseResult reads a CNI result of any version. It ignores what it cannot parse.
func (c *Cached) parseResult(data []byte) {
	type legacyIP struct {
		IP string `json:"ip"`
	}
	var result struct {
		Interfaces []*cachedInterface `json:"interfaces"`
		IPs        []*struct {
			Address string `json:"address"`
		} `json:"ips"`
		IP4, IP6 *legacyIP // before CNI 0.3.0
	}
	if json.Unmarshal(data, &result) != nil {
		return
	}
	for _, i := range result.Interfaces {
		if i != nil {
			c.interfaces = append(c.interfaces, *i)
		}
	}
	var texts []string
	for _, ip := range result.IPs {
		if ip != nil {
			texts = append(texts, ip.Address)
		}
	}
	for _, ip := range []*legacyIP{result.IP4, result.IP6} {
		if ip != nil {
			texts = append(texts, ip.IP)
		}
	}
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			c.addrs = append(c.addrs, p.Addr().Unmap())
		}
	}
}

// parseConfig reads the types of the plugins and the bridges they use. A bridge stays
// on the node when the pod ends, so it is no evidence.
func (c *Cached) parseConfig(config []byte) {
	type plugin struct {
		Type   string `json:"type"`
		Bridge string `json:"bridge"`
	}
	var list struct {
		Plugins []plugin `json:"plugins"`
		plugin           // a single configuration
	}
	c.bridges = []string{"cni0"} // the default of the plugins bridge and flannel
	if json.Unmarshal(config, &list) != nil {
		return
	}
	for _, p := range append(list.Plugins, list.plugin) {
		if p.Type != "" {
			c.Plugins = append(c.Plugins, p.Type)
		}
		if p.Bridge != "" {
			c.bridges = append(c.bridges, p.Bridge)
		}
	}
}

// podMAC returns the MAC of an interface in the sandbox, or "" if the result has none.
func (c Cached) podMAC(ifName string) string {
	for _, i := range c.interfaces {
		if i.Name == ifName && i.Sandbox != "" {
			return i.MAC
		}
	}
	return ""
}

// containerIDFor returns the container ID of an entry if the entry is of the given
// network and interface. libcni joins the three with dashes to name the file, and
// each of them may contain dashes.
func (c Cached) containerIDFor(network, ifName string) (string, bool) {
	id, ok := strings.CutPrefix(filepath.Base(c.Path), network+"-")
	if ok {
		id, ok = strings.CutSuffix(id, "-"+ifName)
	}
	if !ok || id == "" || c.Network != "" && c.Network != network || c.ContainerID != "" && c.ContainerID != id {
		return "", false
	}
	return id, true
}

// A Reservation is an address that the plugin host-local holds for a container.
type Reservation struct {
	Network, Addr       string
	ContainerID, IfName string
	Path                string
}

// HostLocalDir is the dataDir of host-local if the configuration names none.
const HostLocalDir = "/var/lib/cni/networks"

// Reservations returns what host-local has reserved in a network
// (containernetworking/plugins v1.9.1, plugins/ipam/host-local/backend/disk). A
// missing directory is no error.
func Reservations(dataDir, network string) ([]Reservation, error) {
	dir := filepath.Join(dataDir, network)
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list reservations: %w", err)
	}
	var all []Reservation
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "last_reserved_ip") || f.Name() == "lock" || !f.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, f.Name())
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list reservations: %w", err)
		}
		lines := strings.Fields(string(data)) // the container ID and, since v0.8, the interface
		if len(lines) == 0 {
			continue
		}
		r := Reservation{Network: network, Addr: strings.ReplaceAll(f.Name(), "_", ":"), ContainerID: lines[0], IfName: "eth0", Path: path}
		if len(lines) > 1 {
			r.IfName = lines[1]
		}
		all = append(all, r)
	}
	return all, nil
}
