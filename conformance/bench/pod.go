// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
)

// A pod is a pinned sandbox with an eth0, as a primary plugin leaves it.
type pod struct{ path, mac, addr string }

func makePod() (pod, error) {
	p := pod{path: "/run/netns/pod", addr: "10.1.0.5/24"}
	for _, command := range []string{
		"ip netns add pod",
		"ip link add host0 type veth peer name eth0 netns pod",
		"ip -n pod addr add " + p.addr + " dev eth0",
		"ip -n pod link set lo up",
		"ip -n pod link set eth0 up",
		"ip link set host0 up",
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return p, fmt.Errorf("%s: %w: %s", command, err, out)
		}
	}
	out, err := exec.Command("ip", "-n", "pod", "-o", "link", "show", "eth0").Output()
	if err != nil {
		return p, fmt.Errorf("read MAC: %w", err)
	}
	_, after, _ := strings.Cut(string(out), "link/ether ")
	mac, err := net.ParseMAC(strings.Fields(after + " none")[0])
	if err != nil {
		return p, fmt.Errorf("read MAC: %w", err)
	}
	p.mac = mac.String()
	return p, nil
}
