// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// networkManagerFindings finds interfaces of CNI that NetworkManager configures, and
// nm-cloud-setup at work. That it mirrors a bridge ("connected (externally)") harms
// nothing.
func networkManagerFindings(t *Target, root hostconf.Root, owned ownership) ([]guard.Finding, error) {
	conf, err := root.NetworkManager()
	if err != nil {
		return nil, err
	}
	var links []ownedLink
	var first hostconf.DeviceState
	ignored := true
	var errs []error
	for _, l := range owned.links {
		if l.future {
			continue
		}
		state, err := root.NetworkManagerDevice(l.Index)
		if err != nil && !hostconf.IsAbsent(err) {
			errs = append(errs, err)
		}
		if err != nil || !state.Configures() || state.Owned {
			continue
		}
		if len(links) == 0 {
			first = state
		}
		links = append(links, l)
		ignores, _ := conf.Ignores(l.forFiles(false))
		ignored = ignored && ignores
	}
	var findings []guard.Finding
	if len(links) > 0 {
		f := guard.Finding{Object: "NetworkManager"}
		by := ""
		if first.Profile != "" {
			by = fmt.Sprintf(" by the profile %s", first.Profile)
		}
		f.Problem, f.Evidence = fmt.Sprintf("configures %s%s", owned.shown(links), by), first.File+": managed=true"
		f.Impact = "it deletes routes and addresses that CNI added, and pods there lose their network"
		var patterns []string
		for _, l := range owned.links {
			if item := "interface-name:" + l.pattern; l.Kind != "bridge" && !slices.Contains(patterns, item) {
				patterns = append(patterns, item)
			}
		}
		f.Command = writeFile("/etc/NetworkManager/conf.d/"+lastName(conf.DropIns()), "[keyfile]", "unmanaged-devices+="+strings.Join(patterns, ";")) + " && nmcli general reload conf"
		f.Remedy = "Keep NetworkManager from them: " + f.Command
		if ignored {
			f.Command = "nmcli general reload conf"
			f.Remedy = "Its files leave them alone by now; let it read them again: " + f.Command
		}
		findings = append(findings, f)
	}
	off, offErr := networkingOffFindings(t, root, conf, owned)
	cloud, err := cloudSetupFindings(t, root)
	return slices.Concat(findings, off, cloud), errors.Join(append(errs, offErr, err)...)
}

// networkingOffFindings finds bridges and tunnels that lost their addresses to `nmcli
// networking off`, which takes them from what NetworkManager only mirrors, too. One that
// has an address was given it since, as the plugin bridge does for the next pod.
func networkingOffFindings(t *Target, root hostconf.Root, conf *hostconf.NetworkManager, owned ownership) ([]guard.Finding, error) {
	off, where, err := root.NetworkingOff()
	if err != nil || !off {
		return nil, err
	}
	addrs, err := t.Node.AllAddrs()
	if err != nil {
		return nil, err
	}
	lost := func(l ownedLink) bool {
		ignored, _ := conf.Ignores(l.forFiles(false))
		return !ignored && !slices.ContainsFunc(addrs, func(a netstate.LinkAddr) bool {
			return a.Link == l.Name && !a.Addr.Addr().IsLinkLocalUnicast()
		})
	}
	var links []ownedLink
	var patterns []string
	candidates := slices.Clone(owned.links)
	for _, l := range owned.all {
		// Without its routes a tunnel leads nowhere; these networks give theirs an address.
		known := l.Kind == "vxlan" && (strings.HasPrefix(l.Name, "flannel") || l.Name == "vxlan.calico")
		if known && !slices.ContainsFunc(candidates, func(o ownedLink) bool { return o.Name == l.Name }) {
			candidates = append(candidates, ownedLink{Link: l, pattern: l.Name})
		}
	}
	for _, l := range candidates {
		if pattern := "interface-name:" + l.pattern; !slices.Contains(patterns, pattern) {
			patterns = append(patterns, pattern)
		}
		if !l.future && (l.Kind == "bridge" || l.Kind == "vxlan") && lost(l) {
			links = append(links, l)
		}
	}
	if len(links) == 0 {
		return nil, nil
	}
	command := writeFile("/etc/NetworkManager/conf.d/"+lastName(conf.DropIns()), "[keyfile]", "unmanaged-devices+="+strings.Join(patterns, ";")) + " && nmcli general reload conf && nmcli networking on"
	return []guard.Finding{{
		Object:   "NetworkManager",
		Problem:  fmt.Sprintf("has its networking switched off (%s: NetworkingEnabled=%s), as by nmcli networking off, which deleted the addresses and routes of %s: pods there are not reached", where, where.Text, owned.shown(links)),
		Evidence: fmt.Sprintf("%s: NetworkingEnabled=%s; no address on %s", where, where.Text, owned.shown(links)),
		Impact:   "The node cannot reach the pods on these interfaces, and they cannot reach anything beyond their bridge.",
		Remedy:   "Keep NetworkManager off these interfaces before you switch networking on, because that removes the ports of a bridge: " + command + ". Then restart the network plugin's pod on this node; the plugin bridge restores the address of a bridge with the next pod.",
		Command:  command,
	}}, nil
}

// cloudSetupFindings finds the tables by which nm-cloud-setup has the replies of pods
// leave by another interface. That its timer is enabled is no fault by itself: newer
// networks do not mind it (rancher/rke2#8935).
func cloudSetupFindings(t *Target, root hostconf.Root) ([]guard.Finding, error) {
	enabled, where, err := root.CloudSetup()
	if err != nil || !enabled {
		return nil, err
	}
	rules, err := t.Node.Rules()
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		if r.Table == 30200 || r.Table == 30400 {
			return []guard.Finding{{
				Object:  "nm-cloud-setup",
				Problem: "is on, and added the rule " + strings.TrimPrefix(r.String(), "rule "), Impact: "replies of pods leave by the wrong interface",
				Evidence: fmt.Sprintf("%s, %s", where.Text, where),
				Remedy:   "Switch it off, and reboot the node in order to remove its rules: systemctl disable --now nm-cloud-setup.timer nm-cloud-setup.service",
			}}, nil
		}
	}
	return nil, nil
}

// udevFindings finds interfaces whose MAC udevd replaces after CNI made them, where
// somebody relies on the first one: pods of the AWS VPC CNI have it as a permanent
// neighbor (aws/amazon-vpc-cni-k8s#2103), and peers of a vxlan may have learned it
// (flannel-io/flannel#1155).
func udevFindings(t *Target, root hostconf.Root, owned ownership) ([]guard.Finding, error) {
	files, err := root.LinkFiles()
	if err != nil {
		return nil, err
	}
	primary, _ := t.primaryPlugin()
	var findings []guard.Finding
	for _, l := range owned.links {
		minor := false
		switch {
		case primary == "aws-cni" && l.Kind == "veth":
		case l.Kind == "vxlan":
			// One that was made with a MAC is left alone, as flannel and Calico do.
			persistent, err := root.PersistentMAC(l.Name)
			if err != nil && !hostconf.IsAbsent(err) {
				return findings, err
			}
			if err != nil || !bytes.Equal(persistent, l.MAC) {
				continue
			}
			minor = true
		default:
			continue
		}
		file, err := hostconf.LinkFileFor(files, l.forFiles(false))
		if err != nil {
			return findings, err
		}
		if file == nil {
			continue
		}
		policy, ok := file.MACAddressPolicy()
		if !ok || policy.Text != "persistent" && policy.Text != "random" {
			continue
		}
		f := guard.Finding{
			Object: policy.File, Problem: fmt.Sprintf("has udevd replace the MAC of %s after CNI made it", l.pattern), Minor: minor,
			Evidence: fmt.Sprintf("line %d: MACAddressPolicy=%s", policy.Line, policy.Text),
			Impact:   "pods of the AWS VPC CNI keep the old MAC as that of their gateway, and lose their network",
			Command:  writeFile("/etc/systemd/network/"+firstLinkFile(files), "[Match]", "OriginalName="+l.pattern, "[Link]", "MACAddressPolicy=none") + " && udevadm control --reload",
		}
		if minor {
			f.Problem = fmt.Sprintf("had udevd replace the MAC of %s", l.Name)
			f.Evidence += fmt.Sprintf("; %s is the one it chooses", l.MAC)
			f.Impact = "peers that learned the first one no longer reach this node"
		}
		f.Remedy = "Let CNI choose it: " + f.Command + ". It holds for interfaces that are made from now on"
		if !slices.Contains(findings, f) {
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// firstLinkFile returns a name for a .link file that sorts before all others.
func firstLinkFile(files []hostconf.LinkFile) string {
	name := "00-cni.link"
	for _, f := range files {
		if base := f.Path[strings.LastIndexByte(f.Path, '/')+1:]; base <= name {
			name = "+cni.link"
		}
	}
	return name
}
