// SPDX-License-Identifier: Apache-2.0

// Package hostconf reads what the managers of a node are configured to do to its
// network: sysctl.d, modules-load.d, systemd-networkd, udev's .link files and
// NetworkManager, and which of its links each manager has taken.
//
// It reads files only, below a root directory, so that fixtures and bundles of
// another machine are judged as the machine itself is. It starts no program and
// talks to no daemon: networkctl and nmcli may block on D-Bus.
//
// A file that cannot be read is an error that names the file. A file that is not
// there is none: each manager has defaults. Lines that a manager ignores are
// ignored here, too.
//
// The rules are those of systemd 252 to 258 (conf-files.c, net-condition.c,
// networkd-network.c, sysctl.c), procps 4.0 (sysctl.c) and NetworkManager 1.42.
package hostconf
