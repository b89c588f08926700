// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"bytes"
	"os"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

func TestDocumentationIsCurrent(t *testing.T) {
	const path = "../../../../docs/checks.md"
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := writeMarkdown(&want, entriesOf(checks.Suite())); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is stale; run: make generate", path)
	}
}
