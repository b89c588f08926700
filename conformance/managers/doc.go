// SPDX-License-Identifier: Apache-2.0

// Package managers replays what the daemons that manage a node's network do to the
// interfaces of pods: the real systemd-networkd, udevd and NetworkManager of Debian,
// each on a node of its own with pods of the real bridge plugin.
//
// A harm is first seen without the guard. Then `guardctl doctor` must name the
// daemon and the very file, and the command that it prints, run as it is, must cure
// the harm with the same daemon.
//
// scripts/managers.sh unpacks the daemons, CNI_GUARD_MANAGERS is the folder where
// they are. A node has its own root file system, which is the machine's with a
// layer above, so that nothing of the machine is changed.
package managers
