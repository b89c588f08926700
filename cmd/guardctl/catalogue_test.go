// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/release"
)

func TestDocumentationIsCurrent(t *testing.T) {
	const path = "../../docs/checks.md"
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := writeMarkdown(&want, catalogue()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is stale; run: make generate", path)
	}
}

// The plugin asks for a release where a plugin of the chain needs the namespace;
// guardctl must know the same ones.
func TestPluginAndGuardctlKnowTheSameSpecials(t *testing.T) {
	if got, want := chain.SpecialCases(), release.NeedNamespace(); !slices.Equal(got, want) {
		t.Errorf("guardctl handles %q, pkg/release names %q", got, want)
	}
}
