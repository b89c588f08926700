// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Cached is an attachment in the cache of a runtime's libcni.
type Cached struct {
	chain.Attachment
	Path    string   // of the entry
	Pod     string   // "namespace/name"; "" where Kubernetes did not call
	Netns   string   // CNI_NETNS of the ADD
	Plugins []string // the types of the list that ADD was called with
}

// List lists the attachments in a cache. Entries of runtimes older than libcni 0.7,
// which do not say whose they are, and those that cannot be parsed are left out. It
// is no error if there is no cache.
func List(cacheDir string) ([]Cached, error) {
	dir := filepath.Join(cacheDir, "results")
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list cache: %w", err)
	}
	var all []Cached
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list cache: %w", err)
		}
		if c, ok := parseCached(data); ok {
			c.Path, c.CacheDir = path, cacheDir
			all = append(all, c)
		}
	}
	return all, nil
}

func parseCached(data []byte) (c Cached, ok bool) {
	type plugin struct {
		Type string `json:"type"`
	}
	var cached struct {
		ContainerID string      `json:"containerId"`
		Network     string      `json:"networkName"`
		IfName      string      `json:"ifName"`
		Netns       string      `json:"netns"`
		Config      []byte      `json:"config"`
		Args        [][2]string `json:"cniArgs"`
	}
	var list struct {
		Plugins []plugin `json:"plugins"`
		plugin           // a single configuration
	}
	if json.Unmarshal(data, &cached) != nil || cached.ContainerID == "" || cached.Network == "" || cached.IfName == "" {
		return c, false
	}
	c = Cached{Netns: cached.Netns, Attachment: chain.Attachment{
		ContainerID: cached.ContainerID, IfName: cached.IfName, Network: cached.Network,
	}}
	if json.Unmarshal(cached.Config, &list) == nil {
		for _, p := range append(list.Plugins, list.plugin) {
			if p.Type != "" {
				c.Plugins = append(c.Plugins, p.Type)
			}
		}
	}
	var namespace, name string
	for _, pair := range cached.Args {
		switch pair[0] {
		case "K8S_POD_NAMESPACE":
			namespace = pair[1]
		case "K8S_POD_NAME":
			name = pair[1]
		}
	}
	if namespace != "" && name != "" {
		c.Pod = namespace + "/" + name
	}
	return c, true
}

// Open reports whether the path of the sandbox leads to a namespace that is not the
// node's. That is cheap, and true of nearly every pod that lives; of one for which
// it is false, Judge tells more.
func (c Cached) Open() bool {
	n := netstate.OpenNetns(c.Netns)
	defer n.Close()
	return n.Kind == netstate.Sandbox
}

// Unreleased lists the attachments that the ledger has of pods whose DEL was not
// seen, and that the cache has not, by their keys: those of earlier boots included.
func Unreleased(stateDir string, cached []Cached) ([]*ledger.Record, error) {
	records, err := ledger.Ledger(stateDir).Live()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(records, func(r *ledger.Record) bool {
		return slices.ContainsFunc(cached, func(c Cached) bool {
			return c.ContainerID == r.ContainerID && c.IfName == r.IfName && c.Network == r.Network
		})
	}), nil
}

// A Reservation is an address that the plugin host-local holds for a container.
type Reservation struct {
	Network, Addr       string
	ContainerID, IfName string
	Path                string
}

// HostLocalDir is where host-local keeps its reservations (dataDir), unless the
// list names another folder.
const HostLocalDir = "/var/lib/cni/networks"

// Reservations lists what host-local has reserved of a network
// (containernetworking/plugins v1.9.1, plugins/ipam/host-local/backend/disk). It is
// no error if there is no such folder.
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
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list reservations: %w", err)
		}
		lines := strings.Fields(string(data)) // the container, and since v0.8 the interface
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
