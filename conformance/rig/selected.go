// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// AwaitLeftover waits until new pods get the network that was left behind.
func (s *Rig) AwaitLeftover(ctx context.Context) error { return s.awaitNetwork(ctx, Leftover, false) }

// AwaitOwn waits until new pods get the network that they should, with the guard
// in it unless this is the run without.
func (s *Rig) AwaitOwn(ctx context.Context) error {
	return s.awaitNetwork(ctx, chain.Name, s.Guarded)
}

// AwaitNone waits until the runtime has no network.
func (s *Rig) AwaitNone(ctx context.Context) error { return s.awaitNetwork(ctx, "", false) }

func (s *Rig) awaitNetwork(ctx context.Context, name string, guarded bool) error {
	what := fmt.Sprintf("network %q, with the guard: %t", name, guarded)
	return runtimes.Await(ctx, "the runtime to have "+what, func(ctx context.Context) (bool, error) {
		selected, err := s.selector().Selected(ctx)
		if err != nil {
			return false, err
		}
		var got []string
		called := false
		for _, n := range selected {
			got = append(got, n.Name)
			called = called || calls(n.Source, "cni-guard")
		}
		if strings.Join(got, " and ") != name || called != guarded {
			return false, fmt.Errorf("it has %q, with the guard: %t", got, called)
		}
		return true, nil
	})
}

// calls reports whether a configuration names the plugin.
func calls(source, plugin string) bool {
	var list struct{ Plugins []struct{ Type string } }
	if err := json.Unmarshal([]byte(source), &list); err != nil {
		return false // the runtime would not have loaded it
	}
	for _, p := range list.Plugins {
		if p.Type == plugin {
			return true
		}
	}
	return false
}
