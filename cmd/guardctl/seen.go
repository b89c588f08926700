// SPDX-License-Identifier: Apache-2.0

package main

// seen says of each check how it sees the failure, for those who want to look
// for themselves.
func seen() map[string]string {
	return map[string]string{
		"stale-netns": "CNI_NETNS is opened once. Nothing is there, or what is there is not on nsfs, " +
			"or it is a namespace of another type (stat -f PATH shows nsfs for a pinned namespace; " +
			"an unmounted pin is an empty file on tmpfs).",
		"host-netns": "The namespace behind CNI_NETNS has the device and inode of the plugin's own, " +
			"or of pid 1's (stat -L -c %d:%i PATH /proc/self/ns/net shows the same twice).",
		"foreign-netns": "The namespace has another cookie (SO_NETNS_COOKIE) than the one that ADD recorded " +
			"in this boot under /run/cni-guard/live, and does not show the pod's interface either. Without a " +
			"record, CNI_IFNAME is there with another MAC than the result of ADD gives.",
		"pod-loopback": "lo of the sandbox lacks the flag UP, or 127.0.0.1, or, in a pod with IPv6 whose " +
			"net.ipv6.conf.lo.disable_ipv6 is 0, ::1 (ip -n NAME address show lo).",
		"host-loopback": "lo of the node lacks the flag UP, or 127.0.0.1 (ip address show lo). Its state is " +
			"UNKNOWN also when all is well; other addresses on it are left alone.",
		"pod-address": "CNI_IFNAME is missing in the sandbox, is down, has another MAC than the result of the " +
			"chain, or lacks an address of the result.",
	}
}
