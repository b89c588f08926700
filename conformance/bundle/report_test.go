// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"strings"
	"testing"
)

const onNode = `{"checks": [
	{"name": "a", "id": "CG101", "state": "passed"},
	{"name": "b", "id": "CG301", "state": "failed", "findings": [{"object": "x", "problem": "is down", "minor": true}, {"object": "y", "problem": "is gone", "evidence": "z = 1"}]},
	{"name": "c", "id": "CG401", "state": "unknown", "error": "no answer in time (1s)"}
]}`

// Each difference is seen, but for those of a check that had no time.
func TestDifferences(t *testing.T) {
	node, err := Parse([]byte(onNode))
	if err != nil {
		t.Fatal(err)
	}
	if first := node.Findings()[0]; first.String() != "CG301 b: y is gone" {
		t.Errorf("the first finding is %v", first)
	}
	for _, c := range []struct{ old, new, want string }{
		{"", "", ""},
		{`"error": "no answer in time (1s)"`, `"error": "not in the bundle"`, ""},
		{`"unknown"`, `"passed"`, ""},
		{`"passed"`, `"unknown"`, "a"},
		{`"passed"`, `"skipped", "skipped": "no pods"`, "a"},
		{`is gone`, `is up`, "b"},
		{`z = 1`, `z = 2`, "b"},
		{`, "minor": true`, ``, "b"},
		{`"name": "a"`, `"name": "d"`, "a"},
	} {
		other, err := Parse([]byte(strings.Replace(onNode, c.old, c.new, 1)))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if lines := node.differences(other); len(lines) > 0 {
			got, _, _ = strings.Cut(lines[0], ":")
		}
		if got != c.want {
			t.Errorf("%s instead of %s: the difference is in %q, want %q", c.new, c.old, got, c.want)
		}
	}
	if _, err := Parse([]byte(`{"checks": []}`)); err == nil {
		t.Error("a report without a check is read")
	}
}
