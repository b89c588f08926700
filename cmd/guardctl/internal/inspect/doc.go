// SPDX-License-Identifier: Apache-2.0

// Package inspect looks at what decides whether a pod gets its network beside the
// files of the conf dir, which package assess judges: what the runtime has loaded,
// the programs of the chain, and the pods that are attached already. doctor and
// conf report the same problems, in the form of those of assess.
package inspect

import "github.com/cni-guard/cni-guard/pkg/conflist/assess"

// A Problem is one with what Object names: a program, a pod, the runtime. File is
// that of the list that is concerned, or "".
type Problem struct {
	Object string
	assess.Problem
}

// The kinds of problems, beside those of assess.
const (
	PluginMissing       assess.Kind = "plugin-missing"        // in no folder of plugins
	PluginNotExecutable assess.Kind = "plugin-not-executable" // by its mode, or by its mount
	PluginFails         assess.Kind = "plugin-fails"          // it does not answer VERSION
	PluginVersion       assess.Kind = "plugin-version"        // it does not know the version of the list
	NotLoaded           assess.Kind = "not-loaded"            // the runtime works with another list than the file has
	NotRestarted        assess.Kind = "not-restarted"         // its configuration has changed since it started
	NetworkNotReady     assess.Kind = "network-not-ready"     // it says so, for another reason
	PodOnOtherNetwork   assess.Kind = "pod-on-other-network"
	PodsUnguarded       assess.Kind = "pods-older-than-guard"
	AddressNotReleased  assess.Kind = "address-not-released" // its sandbox is gone
)
