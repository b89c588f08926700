// SPDX-License-Identifier: Apache-2.0

package releasecmd

import (
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// The plugin asks for a release where a plugin of the chain needs the namespace;
// guardctl must know the same ones.
func TestPluginAndGuardctlKnowTheSameSpecials(t *testing.T) {
	if got, want := chain.SpecialCases(), release.NeedNamespace(); !slices.Equal(got, want) {
		t.Errorf("guardctl handles %q, pkg/release names %q", got, want)
	}
}
