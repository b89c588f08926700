// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

// A farTarget is an address that the node and its pods send to.
type farTarget struct {
	addr        netip.Addr
	object      string // "DNS server"
	from        string // the file that names it
	consequence string
}

// host returns the node's files.
func (t *Target) host() hostconf.Root { return hostconf.Root{Dir: t.Root, Files: t.Files} }

// lacksNodeFiles reports whether this is a container without the files of its node. A
// container that is itself a node, as those of k3d are, has the kubeconfig of kubelet.
func (t *Target) lacksNodeFiles() bool {
	return t.host().Hidden() && !slices.ContainsFunc(kubeconfigs(), func(path string) bool {
		there, err := t.host().Exists(path)
		return there || err != nil
	})
}

// farTargets returns the DNS servers and the API server, as far as the node's files name
// them. The error names what could not be read.
func farTargets(t *Target) ([]farTarget, error) {
	if t.lacksNodeFiles() {
		return nil, guard.Skip("name servers and API server are not compared, as this is a container that does not have the files of its node; run guardctl with --root")
	}
	servers, dnsErr := nameServers(t.host())
	api, apiErr := apiServers(t)
	return append(servers, api...), errors.Join(dnsErr, apiErr)
}

const (
	resolvConf    = "/etc/resolv.conf"
	resolvedLists = "/run/systemd/resolve/resolv.conf" // with the servers behind 127.0.0.53 (systemd-resolved.service(8))
)

func nameServers(root hostconf.Root) ([]farTarget, error) {
	var targets []farTarget
	for _, path := range []string{resolvConf, resolvedLists} {
		text, err := root.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return targets, fmt.Errorf("read name servers: %w", err)
		}
		for _, addr := range parseNameServers(string(text)) {
			targets = append(targets, farTarget{addr, "DNS server", path, "names are not resolved once a pod has this address, or another node that has its block"})
		}
		if len(targets) > 0 {
			break
		}
	}
	return targets, nil
}

// parseNameServers reads resolv.conf(5). Servers on the node itself are left out.
func parseNameServers(text string) []netip.Addr {
	var addrs []netip.Addr
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		addr, err := netip.ParseAddr(words[1])
		if err != nil || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsUnspecified() {
			continue
		}
		addrs = append(addrs, addr.WithZone("").Unmap())
	}
	return addrs
}

// kubeconfigs are where kubelet has its kubeconfig: with kubeadm, others, k3s, RKE2,
// MicroK8s.
func kubeconfigs() []string {
	return []string{
		"/etc/kubernetes/kubelet.conf",
		"/var/lib/kubelet/kubeconfig",
		"/etc/kubernetes/kubeconfig-kubelet",
		"/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
		"/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
		"/var/snap/microk8s/current/credentials/kubelet.config",
	}
}

// apiServers returns the API servers by address. One that is named by a host name is
// left out: names are not looked up, as DNS may be what fails.
func apiServers(t *Target) ([]farTarget, error) {
	const consequence = "kubelet and the node's daemons lose the API server once a pod has this address, or another node that has its block"
	var targets []farTarget
	for _, addr := range options[*AddressOverlapOptions](t).APIServer {
		targets = append(targets, farTarget{addr.Unmap(), "API server", "apiServer of the check address-overlap", consequence})
	}
	if len(targets) > 0 {
		return targets, nil
	}
	for _, path := range kubeconfigs() {
		text, err := t.host().ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return targets, fmt.Errorf("read the API server's address: %w", err)
		}
		for _, addr := range parseServers(string(text)) {
			targets = append(targets, farTarget{addr, "API server", path, consequence})
		}
	}
	return targets, nil
}

// parseServers returns the addresses of the lines "server: URL" of a kubeconfig. Nothing
// else of it is kept.
func parseServers(text string) []netip.Addr {
	var addrs []netip.Addr
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "- "))
		value, ok := strings.CutPrefix(line, "server:")
		if !ok {
			continue
		}
		u, err := url.Parse(strings.Trim(strings.TrimSpace(value), `"'`))
		if err != nil {
			continue
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !addr.IsLoopback() {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}
