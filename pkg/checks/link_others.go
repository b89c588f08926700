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
		f.Problem = fmt.Sprintf("configures %s%s (%s: managed=true): it deletes routes and addresses that CNI added, and pods there lose their network", owned.shown(links), by, first.File)
		var patterns []string
		for _, l := range owned.links {
			if item := "interface-name:" + l.pattern; l.Kind != "bridge" && !slices.Contains(patterns, item) {
				patterns = append(patterns, item)
			}
		}
		f.Remedy = "Keep NetworkManager from them: " + writeFile("/etc/NetworkManager/conf.d/"+lastName(conf.DropIns()), "[keyfile]", "unmanaged-devices+="+strings.Join(patterns, ";")) + " && nmcli general reload conf"
		if ignored {
			f.Remedy = "Its files leave them alone by now; let it read them again: nmcli general reload conf"
		}
		findings = append(findings, f)
	}
	cloud, err := cloudSetupFindings(t, root)
	return append(findings, cloud...), errors.Join(append(errs, err)...)
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
				Problem: fmt.Sprintf("is on (%s, %s) and added the rule %s: replies of pods leave by the wrong interface", where.Text, where, strings.TrimPrefix(r.String(), "rule ")),
				Remedy:  "Switch it off, and reboot the node in order to remove its rules: systemctl disable --now nm-cloud-setup.timer nm-cloud-setup.service",
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
		problem := fmt.Sprintf("has udevd replace the MAC of %s after CNI made it (MACAddressPolicy=%s, line %d): pods of the AWS VPC CNI keep the first one as that of their gateway, and lose their network", l.pattern, policy.Text, policy.Line)
		if minor {
			problem = fmt.Sprintf("had udevd replace the MAC of %s (MACAddressPolicy=%s, line %d; %s is the one it chooses): peers that learned the first one no longer reach this node", l.Name, policy.Text, policy.Line, l.MAC)
		}
		f := guard.Finding{
			Object: policy.File, Problem: problem, Minor: minor,
			Remedy: "Let CNI choose it: " + writeFile("/etc/systemd/network/"+firstLinkFile(files), "[Match]", "OriginalName="+l.pattern, "[Link]", "MACAddressPolicy=none") + " && udevadm control --reload. It holds for interfaces that are made from now on",
		}
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
