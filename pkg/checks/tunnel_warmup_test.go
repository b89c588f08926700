// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Every kind of tunnel that a dump has can be warmed.
func TestTunnelKinds(t *testing.T) {
	for _, kind := range netstate.TunnelKinds() {
		entry, problems := checks.ParseEntry([]byte(`{"checks": {"tunnel-warmup": {"kinds": ["` + kind + `"]}}}`))
		kinds := guard.OptionsOf[*checks.TunnelWarmupOptions](entry.Settings.Options).Kinds
		if len(problems) > 0 || !slices.Equal(kinds, []string{kind}) {
			t.Errorf("%s is read as %v, problems %v", kind, kinds, problems)
		}
	}
}

// An ADD dumps only the tunnels that it may warm: of others there can be
// thousands.
func TestTunnelWarmupDumpsItsKinds(t *testing.T) {
	node, err := netstate.Parse("link lo index 1 up")
	if err != nil {
		t.Fatal(err)
	}
	dumped := &dumpedView{View: node}
	options := guard.OptionsOf[*checks.TunnelWarmupOptions](nil)
	options.Kinds = []string{"ipip", "sit"}
	guard.Run(context.Background(), []*checks.Check{checks.TunnelWarmup}, guard.Add, guard.Settings{}, &checks.Target{
		Node: dumped, Pod: node, Options: []guard.Options{options}, StateDir: t.TempDir(),
	})
	if !slices.Equal(dumped.kinds, options.Kinds) {
		t.Errorf("it dumped %v, want %v", dumped.kinds, options.Kinds)
	}
}

// A dumpedView records the kinds of a dump.
type dumpedView struct {
	netstate.View
	kinds []string
}

func (v *dumpedView) TunnelDump(kinds ...string) (netstate.TunnelDump, error) {
	v.kinds = kinds
	return v.View.TunnelDump(kinds...)
}
