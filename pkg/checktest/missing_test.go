// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

var checksAddr = netip.MustParsePrefix("10.9.9.9/32")

func TestMissingFixtures(t *testing.T) {
	full := []*fixture{
		mustLoad(t, downFixture), mustLoad(t, upFixture), mustLoad(t, unreadableFixture),
	}
	if got := missingFixtures(up(), full); got != nil {
		t.Errorf("with all fixtures %q are missing", got)
	}
	for name, c := range map[string]struct {
		drop func(*fixture) bool
		want string
	}{
		"passing":    {func(f *fixture) bool { return f.want.passes() }, "passing fixture"},
		"failing":    {func(f *fixture) bool { return f.want.fails() }, "failing fixture"},
		"unreadable": {func(f *fixture) bool { return f.want.unknown != "" }, "unreadable fixture"},
		"setup":      {func(f *fixture) bool { return f.want.fails() && f.setup != "" }, "positive control"},
		"repaired":   {func(f *fixture) bool { return f.repairs() }, "repaired fixture"},
	} {
		t.Run(name, func(t *testing.T) {
			got := missingFixtures(up(), slices.DeleteFunc(slices.Clone(full), c.drop))
			if !strings.Contains(strings.Join(got, "\n"), c.want) {
				t.Errorf("missingFixtures = %q, want %q among them", got, c.want)
			}
		})
	}
	check := up()
	check.Repair = nil
	if got := missingFixtures(check, slices.DeleteFunc(full, (*fixture).repairs)); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "repaired") }) {
		t.Errorf("a check without repair misses %q", got)
	}
}

func TestStrays(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"up", "upp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got := strays([]*checks.Check{up()}, dir)
	if len(got) != 1 || filepath.Base(got[0]) != "upp" {
		t.Errorf("strays = %q, want upp", got)
	}
}
