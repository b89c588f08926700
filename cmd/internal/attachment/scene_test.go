// SPDX-License-Identifier: Apache-2.0

package attachment_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/attachment"
	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A scene is a node with a ledger, a cache and possibly pods.
type scene struct {
	*testing.T

	dir string
	a   chain.Attachment
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return sceneIn(t, t.TempDir())
}

// sceneIn returns a scene in a directory that may exist already.
func sceneIn(t *testing.T, dir string) *scene {
	t.Helper()
	s := &scene{T: t, dir: dir}
	s.a = chain.Attachment{ContainerID: "c1", IfName: "eth0", Network: "net", CacheDir: filepath.Join(s.dir, "cache")}
	if err := os.MkdirAll(filepath.Join(s.a.CacheDir, "results"), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) stateDir() string { return filepath.Join(s.dir, "state") }

func (s *scene) lookup() attachment.Info { return attachment.Lookup(s.a, s.stateDir()) }

// pod creates a sandbox whose eth0 has the address, and returns its path and the MAC of
// the host veth, which gets the given name.
func (s *scene) pod(name, veth, addr string) (path, mac string) {
	s.Helper()
	path = checktest.Sandbox(s.T, name)
	checktest.Shell(s.T, fmt.Sprintf("ip link add %s type veth peer name eth0 netns %s", veth, name))
	if addr != "" {
		checktest.Shell(s.T, fmt.Sprintf("ip -n %s addr add %s/24 dev eth0", name, addr))
	}
	node, err := netstate.OpenNode()
	if err != nil {
		s.Fatal(err)
	}
	defer node.Close()
	link, err := node.Link(veth)
	if err != nil {
		s.Fatal(err)
	}
	return path, link.MAC.String()
}

// record writes a record of the attachment in this boot.
func (s *scene) record(path string, change func(*ledger.Record)) {
	s.Helper()
	boot, err := netstate.BootID()
	if err != nil {
		s.Fatal(err)
	}
	r := ledger.Record{
		Key:    ledger.Key{Network: s.a.Network, ContainerID: s.a.ContainerID, IfName: s.a.IfName},
		BootID: boot, Netns: path, Added: time.Now(),
		Addrs: []netip.Prefix{netip.MustParsePrefix("10.1.0.5/24")},
	}
	if n := netstate.OpenNetns(path); n.Kind == netstate.Sandbox {
		if r.Cookie, err = n.Cookie(); err != nil {
			s.Fatal(err)
		}
		_ = n.Close()
	}
	if change != nil {
		change(&r)
	}
	if err := ledger.Ledger(s.stateDir()).Put(&r); err != nil {
		s.Fatal(err)
	}
}

// cache writes an entry of libcni's cache.
func (s *scene) cache(container, netns, interfaces, addr string) {
	s.Helper()
	text := fmt.Sprintf(`{"kind":"cniCacheV1","containerId":%q,"networkName":%q,"ifName":"eth0","netns":%q,"result":{"cniVersion":"1.0.0","interfaces":[%s],"ips":[{"address":"%s/24"}]}}`,
		container, s.a.Network, netns, interfaces, addr)
	path := filepath.Join(s.a.CacheDir, "results", s.a.Network+"-"+container+"-eth0")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

// age changes the time of a container's cache entry.
func (s *scene) age(container string, by time.Duration) {
	s.Helper()
	when := time.Now().Add(by)
	if err := os.Chtimes(filepath.Join(s.a.CacheDir, "results", s.a.Network+"-"+container+"-eth0"), when, when); err != nil {
		s.Fatal(err)
	}
}
