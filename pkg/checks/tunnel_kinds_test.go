// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// What a dump knows can be warmed.
func TestTunnelKinds(t *testing.T) {
	for _, kind := range netstate.TunnelKinds() {
		var kinds checks.TunnelKinds
		if err := json.Unmarshal([]byte(`["`+kind+`"]`), &kinds); err != nil || !slices.Equal(kinds, []string{kind}) {
			t.Errorf("%s is read as %v, error %v", kind, kinds, err)
		}
	}
}

// An ADD dumps no tunnels but those that it may warm: of others there can be
// thousands.
func TestTunnelWarmupDumpsItsKinds(t *testing.T) {
	node, err := netstate.Parse("link lo index 1 up")
	if err != nil {
		t.Fatal(err)
	}
	dumped := &dumpedView{View: node}
	options := checks.DefaultOptions()
	options.TunnelWarmup.Kinds = checks.TunnelKinds{"ipip", "sit"}
	guard.Run(context.Background(), []*checks.Check{checks.TunnelWarmup}, guard.Add, guard.Settings{}, &checks.Target{
		Node: dumped, Pod: node, Options: options, StateDir: t.TempDir(),
	})
	if !slices.Equal(dumped.kinds, options.TunnelWarmup.Kinds) {
		t.Errorf("it dumped %v, want %v", dumped.kinds, options.TunnelWarmup.Kinds)
	}
}

// A dumpedView remembers what was asked for.
type dumpedView struct {
	netstate.View
	kinds []string
}

func (v *dumpedView) TunnelDump(kinds ...string) (netstate.TunnelDump, error) {
	v.kinds = kinds
	return v.View.TunnelDump(kinds...)
}
