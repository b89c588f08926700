// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// primaryReady reports what keeps the network from starting a pod, as far as the network
// is known by its type.
type primaryReady struct{}

func (primaryReady) declare() guard.Declaration { return guard.Declaration{Name: "primary-ready"} }

func (primaryReady) check() *Check {
	return &Check{
		ID:        "CG311",
		Summary:   "No pod starts on the node, because the network plugin lacks something that its daemon creates, or has no address left to assign; or the pods have lost the gateway that the plugin gave them.",
		Detection: "A file that the plugin reads at each ADD is missing: flannel's /run/flannel/subnet.env, Calico's /var/lib/calico/nodename, the socket of the agent of Cilium, Antrea or OVN-Kubernetes. The bridge of the plugin has an IPv4 address that does not match its range, as after a change of podCIDR, or has lost its address while pods are attached, as after a start of a systemd-networkd that manages the bridge. All addresses of a set of ranges of host-local are reserved (/var/lib/cni/networks/NETWORK).",
		Remedy:    "Run the network plugin's daemon on this node, or remove what the finding names as the obstacle.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probePrimaryReady,
	}
}

func probePrimaryReady(ctx context.Context, t *Target) ([]guard.Finding, error) {
	list, err := t.networkList()
	if err != nil {
		return nil, err
	}
	var findings []guard.Finding
	var trouble error
	known := false
	for _, p := range list.Plugins {
		ready, isKnown := readiness(ctx, t, list.Name, p)
		known = known || isKnown
		for _, look := range ready {
			found, err := look()
			findings, trouble = append(findings, found...), errors.Join(trouble, err)
		}
	}
	if !known {
		return nil, guard.Skip("the network in use is of no type whose needs are known: " + typesOf(list))
	}
	return findings, trouble
}

func typesOf(list conflist.List) string {
	if len(list.Plugins) == 0 {
		return "no file names a plugin"
	}
	return named(list.Types())
}

// readiness returns what to look at for a plugin; known is false for one whose needs
// are not known.
func readiness(ctx context.Context, t *Target, network string, p conflist.Plugin) (looks []func() ([]guard.Finding, error), known bool) {
	if file := neededFile(p); file != nil {
		looks = append(looks, func() ([]guard.Finding, error) { return file.missing(t) })
	}
	if p.Type == "flannel" {
		return append(looks, func() ([]guard.Finding, error) { return flannelReady(ctx, t, network, p) }), true
	}
	pools, dir, err := hostLocalPools(p)
	if err != nil {
		return looks, len(looks) > 0 // for the plugin, or for pod-cidr, to say
	}
	if len(pools) > 0 {
		looks = append(looks, func() ([]guard.Finding, error) { return poolsFull(t, dir, network, pools) })
		if bridge, isGateway := gatewayBridge(p); isGateway {
			looks = append(looks, func() ([]guard.Finding, error) { return bridgeAddress(ctx, t, bridge, expectedAddress(pools)) })
		}
	}
	return looks, len(looks) > 0
}

// A need is a file without which the plugin fails at each ADD.
type need struct{ path, network, what string }

// neededFile returns what the plugin of a type needs; nil where nothing is known. The paths
// are those of Calico (cni-plugin/pkg/plugin), Cilium (pkg/defaults), Antrea (pkg/cni) and
// OVN-Kubernetes (go-controller/pkg/config).
func neededFile(p conflist.Plugin) *need {
	switch p.Type {
	case "flannel":
		path, err := subnetFile(p)
		if err != nil {
			return nil
		}
		return &need{path, "flannel", "flanneld writes it once it has a subnet for this node"}
	case "calico":
		var e struct {
			NodenameFile         string `json:"nodename_file"`
			NodenameFileOptional bool   `json:"nodename_file_optional"`
		}
		if json.Unmarshal(p.Raw, &e) != nil || e.NodenameFileOptional {
			return nil
		}
		return &need{orDefault(e.NodenameFile, "/var/lib/calico/nodename"), "Calico", "calico-node writes it once it has started"}
	case "cilium-cni":
		return &need{"/run/cilium/cilium.sock", "Cilium", "cilium-agent makes it while it runs"}
	case "antrea":
		return &need{"/run/antrea/cni.sock", "Antrea", "antrea-agent makes it while it runs"}
	case "ovn-k8s-cni-overlay":
		return &need{"/run/ovn-kubernetes/cni/ovn-cni-server.sock", "OVN-Kubernetes", "ovnkube-node makes it while it runs"}
	}
	return nil
}

func (n need) missing(t *Target) ([]guard.Finding, error) {
	there, err := t.host().Exists(n.path)
	if err != nil || there {
		return nil, err
	}
	if t.lacksNodeFiles() {
		return nil, guard.Skip(fmt.Sprintf("%s is not looked for, as this is a container that does not have the files of its node; run guardctl with --root", n.path))
	}
	return []guard.Finding{{
		Object:  "node",
		Problem: "has no " + n.path, Impact: "no pod starts",
		Evidence: fmt.Sprintf("the plugin of %s needs it at each ADD; %s", n.network, n.what),
		Remedy:   fmt.Sprintf("Check why the daemon of %s does not run on this node: its log names the cause, such as a node without podCIDR, or an API server that it cannot reach.", n.network),
	}}, nil
}

// flannelReady judges the bridge and the addresses of the plugin that flannel delegates to.
func flannelReady(ctx context.Context, t *Target, network string, p conflist.Plugin) ([]guard.Finding, error) {
	path, err := subnetFile(p)
	if err != nil {
		return nil, err
	}
	env, err := readFlannelEnv(t.host(), path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it is a finding
	}
	if err != nil {
		return nil, err
	}
	var pools []pool
	for _, subnet := range env.subnets {
		pools = append(pools, wholePool(subnet.Masked(), len(pools)))
	}
	var e struct {
		Delegate struct {
			Bridge string
			IPAM   struct{ Type, DataDir string }
		}
	}
	if err := json.Unmarshal(p.Raw, &e); err != nil {
		return nil, fmt.Errorf("read entry of flannel: %w", err)
	}
	if e.Delegate.IPAM.Type != "" && e.Delegate.IPAM.Type != "host-local" {
		return nil, nil
	}
	findings, trouble := poolsFull(t, orDefault(e.Delegate.IPAM.DataDir, hostLocalDir), network, pools)
	if bridge := bridgeOf(p); bridge != "" {
		found, err := bridgeAddress(ctx, t, bridge, expectedAddress(pools))
		findings, trouble = append(findings, found...), errors.Join(trouble, err)
	}
	return findings, trouble
}

// gatewayBridge returns the bridge that a plugin assigns the gateway's address to. With
// forceAddress it replaces another address by itself.
func gatewayBridge(p conflist.Plugin) (string, bool) {
	var e struct{ IsGateway, IsDefaultGateway, ForceAddress bool }
	if p.Type != "bridge" || json.Unmarshal(p.Raw, &e) != nil {
		return "", false
	}
	return bridgeOf(p), (e.IsGateway || e.IsDefaultGateway) && !e.ForceAddress
}

// bridgeAddress compares the IPv4 addresses of a bridge with the one that the plugin
// would give it. The plugin refuses to start a pod where another is there and this one
// is not (ensureAddr in plugins/main/bridge). A bridge that has none gets it with the next
// pod; those that run have no gateway until then.
func bridgeAddress(ctx context.Context, t *Target, bridge string, want netip.Prefix) ([]guard.Finding, error) {
	if !want.IsValid() {
		return nil, nil
	}
	addrs, err := t.Node.Addrs(bridge)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the next pod makes it
	}
	if err != nil {
		return nil, err
	}
	addrs = slices.DeleteFunc(addrs, func(a netip.Prefix) bool { return !a.Addr().Is4() })
	if len(addrs) == 0 {
		return gatewayLost(ctx, t, bridge, want)
	}
	if slices.Contains(addrs, want) {
		return nil, nil
	}
	var have []string
	for _, a := range addrs {
		have = append(have, a.String())
	}
	return []guard.Finding{{
		Object:  "node/" + bridge,
		Problem: fmt.Sprintf("has %s, and the plugin wants to give it %s", strings.Join(have, ", "), want),
		Impact:  fmt.Sprintf("no pod starts (%q already has an IP address different from %s)", bridge, want),
		Remedy:  fmt.Sprintf("Drain the node, because the pods on the bridge lose their network, and run: ip link delete %s. The next pod creates it again.", printable.Word(bridge)),
	}}, nil
}

// gatewayLost reports a bridge without an IPv4 address that pods on record are on. The
// address was there when they started. systemd-networkd 257 takes it at its start where a
// file matches the bridge; 252 left it.
func gatewayLost(ctx context.Context, t *Target, bridge string, want netip.Prefix) ([]guard.Finding, error) {
	ends, err := t.recordedEnds(ctx)
	if guard.Skips(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ends = slices.DeleteFunc(ends, func(e nodeEnd) bool { return e.master.Name != bridge || !e.has(false) })
	if len(ends) == 0 {
		return nil, nil
	}
	command := fmt.Sprintf("ip address add %s dev %s", want, printable.Word(bridge))
	return []guard.Finding{{
		Object:   "node/" + bridge,
		Problem:  "has no IPv4 address, and is the gateway of pods",
		Impact:   fmt.Sprintf("its pods reach nothing but each other, until the next pod starts and the plugin adds %s", want),
		Evidence: strings.TrimSuffix(fmt.Sprintf("ports of pods on record: %d; %s", len(ends), t.managerOf(ends[0].Master)), "; "),
		Command:  command, Remedy: "Run: " + command + ". Then keep the network manager of the node off the bridge: guardctl explain link-manager.",
	}}, nil
}
