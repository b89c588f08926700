// SPDX-License-Identifier: Apache-2.0

package chain

import "path/filepath"

// A Plugin is an entry of a conflist.
type Plugin map[string]any

// With returns the plugin another key.
func (p Plugin) With(key string, value any) Plugin {
	p[key] = value
	return p
}

// PTP joins pod and node by a veth pair.
func PTP(ipam Plugin) Plugin { return Plugin{"type": "ptp", "ipMasq": false, "ipam": ipam} }

// Bridge joins pods by a bridge on the node. Without IPAM (nil) it leaves
// addresses to others.
func Bridge(ipam Plugin) Plugin {
	if ipam == nil {
		return Plugin{"type": "bridge", "bridge": "cni0"}
	}
	return Plugin{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipam": ipam}
}

// Macvlan returns the pod a link on top of the node's eth0.
func Macvlan(ipam Plugin) Plugin {
	return Plugin{"type": "macvlan", "master": "eth0", "mode": "bridge", "ipam": ipam}
}

// IPVLAN returns the pod a link that shares the MAC of the node's eth0.
func IPVLAN(ipam Plugin) Plugin {
	return Plugin{"type": "ipvlan", "master": "eth0", "ipam": ipam}
}

// HostDevice moves a link of the node into the pod.
func HostDevice(device string, ipam Plugin) Plugin {
	return Plugin{"type": "host-device", "device": device, "ipam": ipam}
}

// HostLocal allocates addresses of 10.88.0.0/24 in a directory; see Leases.
func HostLocal(dir string) Plugin {
	return Plugin{
		"type":    "host-local",
		"dataDir": dir,
		"ranges":  [][]map[string]string{{{"subnet": "10.88.0.0/24"}}},
		"routes":  []map[string]string{{"dst": "0.0.0.0/0"}},
	}
}

// Portmap forwards ports of the node to the pod.
func Portmap() Plugin {
	return Plugin{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}, "backend": "iptables"}
}

// Firewall lets the pod's traffic be forwarded.
func Firewall() Plugin { return Plugin{"type": "firewall", "backend": "iptables"} }

// Tuning sets a sysctl in the pod.
func Tuning() Plugin {
	return Plugin{"type": "tuning", "sysctl": map[string]string{"net.core.somaxconn": "500"}}
}

// Bandwidth limits the pod's traffic.
func Bandwidth() Plugin {
	return Plugin{
		"type":        "bandwidth",
		"ingressRate": 8_000_000, "ingressBurst": 8_000_000,
		"egressRate": 8_000_000, "egressBurst": 8_000_000,
	}
}

// SBR routes by source address in the pod.
func SBR() Plugin { return Plugin{"type": "sbr"} }

// Guard is cni-guard, with all of its directories inside dir.
func Guard(dir string) Plugin {
	return Plugin{
		"type":     "cni-guard",
		"stateDir": filepath.Join(dir, "state"),
		"cacheDir": filepath.Join(dir, "cache"),
		"confDir":  filepath.Join(dir, "conf"),
	}
}
