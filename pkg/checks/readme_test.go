// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

//go:generate go test -run ^TestReadme$ -update .

var update = flag.Bool("update", false, "write the table of checks in the README")

// The table of checks in the README is written from the checks themselves.
func TestReadme(t *testing.T) {
	const (
		path  = "../../README.md"
		begin = "<!-- checks: make generate writes this table -->\n"
		end   = "<!-- end of checks -->\n"
	)
	readme, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CNI_GUARD_KERNEL") == "vm" {
		return // the virtual machine has the directory of the package only
	}
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasBegin := strings.Cut(string(readme), begin)
	table, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no lines %q and %q, between which the table of checks belongs", path, begin, end)
	}
	want := readmeTable()
	switch {
	case table == want:
	case *update:
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of checks in %s is stale; run: make generate", path)
	}
}

func readmeTable() string {
	var b strings.Builder
	b.WriteString("| check | the failure | runs on | default |\n|---|---|---|---|\n")
	for _, c := range checks.Suite() {
		fmt.Fprintf(&b, "| [`%s`](docs/checks.md#%s) | %s | %s | `%s` |\n", c.Name, c.Name, c.Summary, c.When, c.Default)
	}
	return b.String()
}
