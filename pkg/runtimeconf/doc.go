// SPDX-License-Identifier: Apache-2.0

// Package runtimeconf reads how a container runtime was started: its command line
// and its environment, and the files that CRI-O reads besides. The plugin asks it
// about the CRI-O that called, and guardctl about the runtime that serves a socket,
// so that both answer by the same rules.
//
// It parses no TOML: the plugin, which starts for every pod, has no room for a
// parser. [ScanNetworkString] finds one key and refuses what it does not understand.
package runtimeconf
