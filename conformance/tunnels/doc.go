// SPDX-License-Identifier: Apache-2.0

// Package tunnels replays the incident of the cold tunnels: nodes joined by
// IPIP as Calico joins them, each behind a stateful firewall that knows no
// protocol 4, on which pods come up and at once talk to pods elsewhere.
//
// Nodes are network namespaces. It needs ipip, and lets ten minutes pass several
// times, so that it runs in a machine of conformance/vm whose time is its own;
// make test-vm does that.
package tunnels
