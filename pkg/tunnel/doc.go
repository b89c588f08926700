// SPDX-License-Identifier: Apache-2.0

// Package tunnel knows the tunnels of a node: who is at their other ends, as the
// kernel's own tables have it, and whether they answer. It asks no API server
// and reads no network plugin's store.
package tunnel
