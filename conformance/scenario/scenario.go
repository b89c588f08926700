// SPDX-License-Identifier: Apache-2.0

// Package scenario has the incidents, one a file. To add one, write its file and
// name it in All.
package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/podrange"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// A Scenario is an incident that can be played on any runtime.
type Scenario struct {
	Name     string
	Incident string                   // what happens, a sentence for the table
	Harms    []claim.Claim            // what it makes untrue on a node without the guard
	Holds    []claim.Claim            // what is looked at, and true, with the guard
	Harmless string                   // why it harms no runtime: it shows that the guard does none
	HarmsOn  map[string][]claim.Claim // instead of Harms, on runtimes that it harms in another way
	Spared   map[string]string        // runtimes that it does not harm, with the reason
	NotOn    map[string]string        // runtimes on which it cannot be played, with the reason
	Limits   []claim.Claim            // what is untrue with the guard, too, until it is mended
	Limit    string                   // why the guard cannot prevent that
	LimitsOn map[string][]claim.Claim // instead of Limits, on runtimes where it is limited in another way
	Setup    rig.Setup

	Play func(context.Context, *rig.Rig) error
}

// All returns the scenarios in the order of the table.
func All() []Scenario {
	return []Scenario{
		normalLife,
		pathToNode,
		pathToOtherPod,
		sandboxKilled,
		addIntoNode,
		addIntoNodeInline,
		nodeRebooted,
		runtimeRestarted,
		gcAtStart,
		cachedPathReused,
		userNamespace,
		internalLoopback,
		guardAddedLater,
		guardOlderPods,
		olderPodsNamed,
		guardRemoved,
		guardctlMissing,
		addressesExhausted,
		nodeLoDown,
		newInterfacesBlocked,
		serviceOnBridge,
		portsTaken,
		portsTakenByNetworkd,
		podRange(podrange.Cases()[0]),
		podRange(podrange.Cases()[1]),
		podRange(podrange.Cases()[2]),
		statusMends,
		statusReports,
		statusOnce,
		statusGracePeriod,
		fiftyPods,
		rogueFileWins,
		hiddenFileFirst,
		rogueFileUnseen,
		rogueFileMovedIn,
		rogueFileRestart,
		rogueFileKept,
		pluginMissing,
		defaultNetwork(runtimes.ByFile, "a file of crio.conf.d"),
		defaultNetwork(runtimes.ByFlag, "its command line"),
		defaultNetwork(runtimes.ByEnvironment, "its environment"),
		defaultNetworkMissing,
		rogueFileReported,
		rogueFileOwn,
		rogueFileAfter,
		rogueFileAny,
		wrongFileRemoved,
		brokenFileFirst,
		emptyFileFirst,
		installUnderLoad,
	}
}

// Expect is what the runtime of that name must show.
func (s Scenario) Expect(runtime string) claim.Expectation {
	spared := s.Harmless
	if reason := s.Spared[runtime]; reason != "" {
		spared = reason
	}
	harms := s.Harms
	if others := s.HarmsOn[runtime]; others != nil {
		harms = others
	}
	limits := s.Limits
	if others := s.LimitsOn[runtime]; others != nil {
		limits = others
	}
	return claim.Expectation{Harms: harms, Holds: s.Holds, Spared: spared, Limits: limits, Limit: s.Limit}
}
