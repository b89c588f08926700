// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// cloudForwarding reports that the cloud drops packets whose address is not the
// node's, as those of pods are where no tunnel carries them.
type cloudForwarding struct{}

func (cloudForwarding) declare() guard.Declaration {
	return guard.Declaration{Name: "cloud-forwarding"}
}

func (cloudForwarding) check() *Check {
	return &Check{
		ID:        "CG601",
		Summary:   "Pods on two nodes cannot reach each other although the nodes can, because the cloud's network drops packets with the address of a pod.",
		Detection: "A route leads to the pods of another node through that node's address in the same subnet, without a tunnel, and /sys/class/dmi/id shows that the node is a virtual machine of a cloud. On AWS, `guardctl doctor` asks the instance metadata service (IMDSv2) for the network interface and EC2 for its source/destination check (ec2:DescribeNetworkInterfaces). On OpenStack, Google Cloud and Azure the result is a minor finding with the commands to run, because the node cannot ask those clouds.",
		Remedy:    "Let the cloud pass packets with the addresses of pods: switch off the source/destination check on AWS, set allowed address pairs on OpenStack, canIpForward on Google Cloud and IP forwarding on Azure; or have the network use a tunnel (Calico: ipipMode or vxlanMode Always; flannel: vxlan).",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeCloudForwarding,
	}
}

// A CloudInterface is a network interface of an AWS instance.
type CloudInterface struct {
	ID              string // "eni-0123456789abcdef0"
	Region          string
	SourceDestCheck bool // packets from or to an address that is not the interface's are dropped
}

// A cloud is how a node shows that it belongs to one, and what its operator can do.
type cloud struct {
	name string
	// files are files of /sys/class/dmi/id with what they begin with; all must match.
	files  map[string]string
	drops  string // what drops the packets
	look   string // a command, in which ADDR stands for the node's address
	remedy string // a command with words in capitals for what look shows
}

// clouds are from the detection of cloud-init (tools/ds-identify), but for the commands.
func clouds() []cloud {
	aws := cloud{
		name: "AWS", drops: "the source/destination check of the network interface",
		look:   "aws ec2 describe-network-interfaces --filters Name=addresses.private-ip-address,Values=ADDR --query 'NetworkInterfaces[].[NetworkInterfaceId,SourceDestCheck]'",
		remedy: "aws ec2 modify-network-interface-attribute --no-source-dest-check --network-interface-id ID",
	}
	nitro, xen := aws, aws
	nitro.files = map[string]string{"sys_vendor": "Amazon EC2"}
	xen.files = map[string]string{"sys_vendor": "Xen", "product_uuid": "ec2"}
	openstack := cloud{
		name: "OpenStack", drops: "port security",
		look:   "openstack port list --fixed-ip ip-address=ADDR -f value -c ID | xargs openstack port show -c allowed_address_pairs -c port_security_enabled",
		remedy: "openstack port set --allowed-address ip-address=PODRANGE ID",
	}
	nova, compute := openstack, openstack
	nova.files = map[string]string{"product_name": "OpenStack Nova"}
	compute.files = map[string]string{"product_name": "OpenStack Compute"}
	return []cloud{nitro, xen, nova, compute, {
		name: "Google Cloud", files: map[string]string{"product_name": "Google Compute Engine"},
		drops:  "a virtual machine without canIpForward",
		look:   "gcloud compute instances list --filter=networkInterfaces.networkIP=ADDR --format='value(name,zone,canIpForward)'",
		remedy: "gcloud compute instances export NODE --destination=node.yaml, set canIpForward: true there, then gcloud compute instances update-from-file NODE --source=node.yaml --most-disruptive-allowed-action=REFRESH",
	}, {
		name: "Azure", files: map[string]string{"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"},
		drops:  "a network interface without IP forwarding",
		look:   "az network nic list --query \"[?ipConfigurations[?privateIPAddress=='ADDR']].[name,resourceGroup,enableIPForwarding]\"",
		remedy: "az network nic update --ip-forwarding true --name NAME --resource-group GROUP",
	}}
}

func probeCloudForwarding(ctx context.Context, t *Target) ([]guard.Finding, error) {
	block, err := t.plainPodRoute()
	if err != nil {
		return nil, err
	}
	c, evidence, err := t.cloud()
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, guard.Skip("no cloud is known that this node is in (/sys/class/dmi/id)")
	}
	link, err := t.Node.Link(block.link)
	if err != nil {
		return nil, err
	}
	if c.name == "AWS" && t.SourceDestCheck != nil {
		return askAWS(ctx, t, block, link.MAC)
	}
	addr, err := t.addrTowards(block)
	if err != nil {
		return nil, err
	}
	return []guard.Finding{{
		Object:   "node/" + block.link,
		Problem:  fmt.Sprintf("carries packets of pods without a tunnel, which %s drops unless that is switched off for %s", c.drops, addr),
		Evidence: fmt.Sprintf("route %s; %s", block, evidence),
		Impact:   "where it drops them, pods of this node and of other nodes do not reach each other",
		Remedy:   fmt.Sprintf("Check it from a machine with the rights to do so: %s. To change it: %s.", strings.ReplaceAll(c.look, "ADDR", addr), c.remedy),
		Minor:    true,
	}}, nil
}

// askAWS returns what EC2 says of the interface that packets of pods leave by.
func askAWS(ctx context.Context, t *Target, block podBlock, mac net.HardwareAddr) ([]guard.Finding, error) {
	i, err := t.SourceDestCheck(ctx, mac)
	if err != nil {
		return nil, fmt.Errorf("ask AWS for the source/destination check of %s: %w", block.link, err)
	}
	if !i.SourceDestCheck {
		return nil, nil
	}
	command := "aws ec2 modify-network-interface-attribute --no-source-dest-check --network-interface-id " + printable.Word(i.ID)
	if i.Region != "" {
		command += " --region " + printable.Word(i.Region)
	}
	return []guard.Finding{{
		Object:   "node/" + block.link,
		Problem:  fmt.Sprintf("is %s, whose source/destination check is on: AWS drops packets with the addresses of pods", i.ID),
		Evidence: fmt.Sprintf("SourceDestCheck of %s = true; route %s", i.ID, block),
		Impact:   "pods of this node and of the others do not reach each other, while the nodes do",
		Remedy:   "Run, with rights for ec2:ModifyNetworkInterfaceAttribute: " + command + ".",
		Command:  command,
	}}, nil
}

// plainPodRoute returns a route to pods of another node that no tunnel carries. The
// error is guard.Skip's if there is none.
func (t *Target) plainPodRoute() (podBlock, error) {
	n, err := readNodeNetwork(t)
	if err != nil {
		return podBlock{}, err
	}
	ranges, rangeErr := t.podRanges()
	for _, b := range n.podBlocks(ranges.prefixes) {
		if !b.gateway.IsValid() || b.link == "" || n.isPodLink(b.link) || n.isPodTunnel(b.link) || len(n.links[b.link].MAC) == 0 {
			continue
		}
		for _, a := range n.addrs {
			if a.Link == b.link && !a.Addr.IsSingleIP() && a.Addr.Contains(b.gateway) {
				return b, nil
			}
		}
	}
	if rangeErr != nil && !errors.Is(rangeErr, fs.ErrNotExist) && !errors.Is(rangeErr, errPodCIDRByNode) {
		return podBlock{}, rangeErr
	}
	return podBlock{}, guard.Skip("no route leads to pods of another node without a tunnel")
}

// addrTowards returns the node's address in the subnet of the next hop.
func (t *Target) addrTowards(b podBlock) (string, error) {
	addrs, err := t.Node.Addrs(b.link)
	for _, a := range addrs {
		if a.Contains(b.gateway) {
			return a.Addr().String(), err
		}
	}
	return b.link, err
}

// cloud returns the cloud that the node is in, nil if none is known, and how that is
// known.
func (t *Target) cloud() (*cloud, string, error) {
	const dir = "/sys/class/dmi/id/"
	for _, c := range clouds() {
		var evidence []string
		matches := true
		// sys_vendor before product_uuid, which only root may read
		for _, name := range slices.Backward(slices.Sorted(maps.Keys(c.files))) {
			text, err := t.host().ReadFile(dir + name)
			if errors.Is(err, fs.ErrNotExist) {
				matches = false
				break
			}
			if err != nil {
				return nil, "", fmt.Errorf("tell which cloud the node is in: %w", err)
			}
			value := strings.TrimSpace(string(text))
			if matches = strings.HasPrefix(strings.ToLower(value), strings.ToLower(c.files[name])); !matches {
				break
			}
			evidence = append(evidence, fmt.Sprintf("%s%s = %s", dir, name, value))
		}
		if matches {
			return &c, strings.Join(evidence, ", "), nil
		}
	}
	return nil, "", nil
}
