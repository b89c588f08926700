// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A check that no call of the runtime runs refuses nothing and has no code.
func TestCodes(t *testing.T) {
	for name, c := range map[string]struct {
		check            checks.Check
		code, statusCode uint
		shown            string
	}{
		"node only":    {checks.Check{When: guard.Node}, 0, 0, "-"},
		"call":         {checks.Check{When: guard.Add | guard.Node}, guard.CodeCheck, 0, "100"},
		"own code":     {checks.Check{When: guard.Del, Code: 8}, 8, 0, "8"},
		"status":       {checks.Check{When: guard.Status}, guard.CodeCheck, guard.CodeImpaired, "100, STATUS 51"},
		"not possible": {checks.Check{When: guard.Add | guard.Status, StatusCode: 50}, guard.CodeCheck, 50, "100, STATUS 50"},
	} {
		e := entryOf(&c.check)
		if e.Code != c.code || e.StatusCode != c.statusCode || e.codes() != c.shown {
			t.Errorf("%s: code %d, STATUS %d, shown as %s; want %d, %d, %s", name, e.Code, e.StatusCode, e.codes(), c.code, c.statusCode, c.shown)
		}
	}
	text, err := json.Marshal(entryOf(&checks.Check{Name: "x", When: guard.Node}))
	if err != nil || strings.Contains(string(text), `"code"`) {
		t.Errorf("in JSON: %s, error %v", text, err)
	}
}

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
