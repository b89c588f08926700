// SPDX-License-Identifier: Apache-2.0

package site_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/cmd/internal/cri"
	"github.com/cni-guard/cni-guard/cmd/internal/cri/critest"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// node makes the tree of a node with a runtime that answers at a socket.
func node(t *testing.T, files, socket string, r critest.Runtime) (root string) {
	t.Helper()
	root, _ = plant(t, txtar.Parse([]byte(files)))
	if err := os.MkdirAll(filepath.Dir(filepath.Join(root, socket)), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(root, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	started(t, root, programOf(socket), nil)
	go func() { _ = r.Serve(l) }()
	return root
}

// What containerd works with counts, whatever its configuration says by now.
func TestRunningContainerd(t *testing.T) {
	const files = "-- etc/containerd/config.toml --\nversion = 2\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = \"/etc/cni/new.d\"\nmax_conf_num = 1\n"
	root := node(t, files, "run/containerd/containerd.sock", critest.Runtime{
		Status: cri.Status{NetworkReady: true},
		Loaded: &cri.Loaded{ConfDir: "/etc/cni/old.d/", BinDirs: []string{"/opt/cni/bin", "/usr/lib/cni"}, MaxConfNum: 2, Networks: []cri.Network{{Name: "a"}}},
	})
	s, err := site.FindRunning(t.Context(), root, site.Overrides{})
	const want = `runtime containerd, max_conf_num 2, default network ""
conf /etc/cni/old.d, bin /opt/cni/bin of /opt/cni/bin:/usr/lib/cni, cache /var/lib/cni
the runtime is containerd: it answers at /run/containerd/containerd.sock
conf_dir is /etc/cni/new.d: /etc/containerd/config.toml
max_conf_num is 1: /etc/containerd/config.toml
conf_dir is /etc/cni/old.d/: the running containerd, unlike its configuration
bin_dirs is [/opt/cni/bin /usr/lib/cni]: the running containerd, unlike its configuration
max_conf_num is 2: the running containerd, unlike its configuration
it looks for plugins in 2 directories; cni-guard belongs in /opt/cni/bin, the first that exists
`
	if got := tell(root, s, err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(s.Running.Changed) != 3 || !s.Running.NetworkReady || s.Running.Loaded.Networks[0].Name != "a" {
		t.Errorf("got %+v", s.Running)
	}

	// The operator's word beats that of the runtime.
	n := 1
	s, err = site.FindRunning(t.Context(), root, site.Overrides{ConfDir: "/c", MaxConfNum: &n})
	if err != nil || s.ConfDir != "/c" || s.Runtime.MaxConfNum != 1 {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestRunningCRIO(t *testing.T) {
	root := node(t, "-- etc/crio/crio.conf --\n[crio.network]\ncni_default_network = \"a\"\n", "run/crio/crio.sock", critest.Runtime{
		Status: cri.Status{Message: "no CNI configuration file"},
		Config: "[crio]\n[crio.network]\ncni_default_network = \"b\"\nnetwork_dir = \"/etc/cni/net.d/\"\nplugin_dirs = [\"/opt/cni/bin/\"]\n",
	})
	s, err := site.FindRunning(t.Context(), root, site.Overrides{})
	if err != nil || s.Runtime.DefaultNetwork != "b" || s.Running.NetworkReady || s.Running.Message != "no CNI configuration file" {
		t.Fatalf("got %+v, %v", s, err)
	}
	want := []site.Change{{Setting: "cni_default_network", Running: `"b"`, Configured: `"a"`}}
	if len(s.Running.Changed) != 1 || s.Running.Changed[0] != want[0] {
		t.Errorf("got %+v, want %+v", s.Running.Changed, want)
	}
}

// A runtime that does not answer is no reason to fail, and none that is not asked.
func TestRunningSilent(t *testing.T) {
	root := node(t, "", "run/containerd/containerd.sock", critest.Runtime{Fails: "unknown service"})
	s, err := site.FindRunning(t.Context(), root, site.Overrides{})
	if err != nil || s.Running != nil || !strings.Contains(strings.Join(s.How, "\n"), `containerd does not say what it works with: call Status of the runtime: it answers with status 12: "unknown service"`) {
		t.Errorf("got %+v, %v", s, err)
	}
	if s, err := site.Find(root, site.Overrides{}); err != nil || s.Running != nil {
		t.Errorf("it was asked: %+v, %v", s, err)
	}
}

// A socket that is elsewhere is named by the operator, with the runtime.
func TestEndpoint(t *testing.T) {
	root := node(t, "", "run/x/c.sock", critest.Runtime{Loaded: &cri.Loaded{ConfDir: "/c", MaxConfNum: 1}})
	s, err := site.FindRunning(t.Context(), root, site.Overrides{Runtime: conflist.Containerd, Socket: "/run/x/c.sock"})
	if err != nil || s.ConfDir != filepath.Join(root, "c") || s.Socket != filepath.Join(root, "run/x/c.sock") {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := site.Find(root, site.Overrides{Socket: "/run/x/c.sock"}); err == nil || !strings.Contains(err.Error(), "say which runtime that is, by --runtime") {
		t.Errorf("got %v", err)
	}
	if s, err := site.Find(root, site.Overrides{Socket: "/run/crio/crio.sock"}); err != nil || s.Runtime.Kind != conflist.CRIO {
		t.Errorf("got %+v, %v", s, err)
	}
}
