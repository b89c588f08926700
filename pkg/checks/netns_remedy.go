// SPDX-License-Identifier: Apache-2.0

package checks

import "strings"

// netnsRemedy says what to do about a namespace path that leads to another namespace
// than the pod's: paths below /proc lead astray when process IDs are reused, pinned
// ones when something unmounts or mounts over them.
func netnsRemedy(path string) string {
	if strings.HasPrefix(path, "/proc/") {
		return "Find out which runtime passes /proc/PID/ns/net paths (cri-dockerd does, and old CRI-O), and raise kernel.pid_max (sysctl -w kernel.pid_max=4194304): the process ID was reused."
	}
	return "Find out what mounted another namespace there, or unmounted the pod's: findmnt -t nsfs lists what is pinned, and a container that mounts the folder without HostToContainer propagation is a usual cause."
}

// staleRemedy says what to do about a path where there is no namespace any more.
func staleRemedy(path string) string {
	const anew = "Let the runtime make a new sandbox (delete the pod); if every pod fails, "
	if strings.HasPrefix(path, "/proc/") {
		return anew + "look in the journal of the runtime for why the process of the sandbox ends."
	}
	return anew + "look for what unmounts the pinned namespaces, such as a container that mounts /run/netns without HostToContainer propagation."
}
