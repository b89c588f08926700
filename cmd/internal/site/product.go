// SPDX-License-Identifier: Apache-2.0

package site

import (
	"fmt"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// A product is a runtime as it is packaged: where its socket and configuration
// are, and what it does where the configuration says nothing.
type product struct {
	name     string
	kind     conflist.Kind
	program  string // the name of its process
	unit     string // of systemd
	sockets  []string
	config   string // the file that says that it is installed; "": none
	dropIns  string // a directory of files that continue it; "": none
	confDir  string
	binDirs  []string
	cacheDir string
	note     string // what people should know of it; "": nothing
}

// products are in the order in which they are printed. kind's nodes are
// plain containerd in a container.
func products() []product {
	const libcni = "/var/lib/cni" // libcni.CacheDir
	upstream, plugins := "/etc/cni/net.d", []string{"/opt/cni/bin"}
	return []product{
		{
			name: "k3s", kind: conflist.Containerd, program: "containerd", unit: "k3s", cacheDir: libcni,
			sockets: []string{"/run/k3s/containerd/containerd.sock"},
			config:  "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
			confDir: "/var/lib/rancher/k3s/agent/etc/cni/net.d",
			binDirs: []string{"/var/lib/rancher/k3s/data/cni"}, // since v1.31.1; a directory of each release before (k3s#10869)
			note:    "k3s writes 10-flannel.conflist again at every start: the entry inlined there is gone then; --placement own survives it, from v1.31.1",
		},
		{
			name: "RKE2", kind: conflist.Containerd, program: "containerd", unit: "rke2-agent", cacheDir: libcni,
			sockets: []string{"/run/k3s/containerd/containerd.sock"},
			config:  "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
			confDir: upstream, binDirs: plugins,
		},
		{
			name: "microk8s", kind: conflist.Containerd, program: "containerd", unit: "snap.microk8s.daemon-containerd", cacheDir: libcni,
			sockets: []string{"/var/snap/microk8s/common/run/containerd.sock"},
			config:  "/var/snap/microk8s/current/args/containerd.toml",
			confDir: "/var/snap/microk8s/current/args/cni-network",
			binDirs: []string{"/var/snap/microk8s/current/opt/cni/bin"},
		},
		{
			name: "containerd", kind: conflist.Containerd, program: "containerd", unit: "containerd", cacheDir: libcni,
			sockets: []string{"/run/containerd/containerd.sock"},
			config:  "/etc/containerd/config.toml",
			confDir: upstream, binDirs: plugins,
		},
		{
			name: "CRI-O", kind: conflist.CRIO, program: "crio", unit: "crio", cacheDir: libcni,
			sockets: []string{"/run/crio/crio.sock"},
			config:  "/etc/crio/crio.conf", dropIns: "/etc/crio/crio.conf.d",
			confDir: upstream, binDirs: plugins,
		},
		{
			name: "cri-dockerd", kind: conflist.CRIDockerd, program: "cri-dockerd", unit: "cri-docker", cacheDir: "/var/lib/cni/cache",
			sockets: []string{"/run/cri-dockerd.sock"},
			confDir: upstream, binDirs: plugins,
		},
	}
}

// configured reports whether its configuration is there.
func (p product) configured(root string) bool {
	return p.config != "" && isFile(filepath.Join(root, p.config)) ||
		p.dropIns != "" && isDir(filepath.Join(root, p.dropIns))
}

// describe returns the site of a product, with directories as the runtime has them.
func (p product) describe(root string) (Site, error) {
	s := Site{Runtime: conflist.NewRuntime(p.kind), Name: p.name, Unit: p.unit, ConfDir: p.confDir, CacheDir: p.cacheDir}
	s.Runtime.BinDirs = append(s.Runtime.BinDirs, p.binDirs...)
	s.How = append(s.How, p.evidence(root))
	process, err := runtimeconf.Process{}, error(nil)
	if p.running(root) {
		s.Socket = p.socket(root)
		if process, err = p.process(root); err != nil {
			s.How = append(s.How, fmt.Sprintf("its command line and environment are not known, and what they set is not considered: %v", err))
		}
	} else if p.kind != conflist.Containerd {
		s.How = append(s.How, "what its command line and environment set is not known while it does not run")
	}
	switch p.kind {
	case conflist.Containerd:
		err = s.readContainerd(root, p, process)
	case conflist.CRIO:
		err = s.readCRIO(root, process)
	case conflist.CRIDockerd:
		err = s.readCRIDockerd(process)
	}
	if p.note != "" {
		s.How = append(s.How, p.note)
	}
	return s, err
}

// socket returns the first socket at which a process listens, without the root.
func (p product) socket(root string) string {
	for _, socket := range p.sockets {
		if listens(filepath.Join(root, socket)) {
			return socket
		}
	}
	return ""
}
