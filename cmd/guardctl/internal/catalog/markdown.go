// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"io"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// writeMarkdown writes docs/checks.md.
func writeMarkdown(w io.Writer, entries []entry) error {
	var b strings.Builder
	b.WriteString("<!-- Written by `make generate` from the checks themselves. -->\n\n# Checks\n\n" +
		"In the order in which they run. *Default* is the policy without configuration: `enforce`\n" +
		"refuses the call, `warn` only reports. A check that could not tell refuses nothing. `node`\n" +
		"is a look at the node without a pod: `guardctl doctor`. Options are keys beside `policy` and\n" +
		"`repair` in the check's place under `checks`.\n\n" +
		"| check | runs on | default | repairs on | code |\n|---|---|---|---|---|\n")
	for _, e := range entries {
		printable.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", e.Name, e.Name, e.When, e.Default, cli.OrDash(e.Repairs), codes(e))
	}
	for _, e := range entries {
		printable.Fprintf(&b, "\n## %s\n\n%s\n\n**How it is seen.** %s\n\n**What to do.** %s\n", e.Name, e.Summary, e.Detection, e.Remedy)
		writeOptions(&b, e.Options)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeOptions(b *strings.Builder, options []option) {
	if len(options) == 0 {
		return
	}
	b.WriteString("\n| option | default | meaning |\n|---|---|---|\n")
	for _, o := range options {
		printable.Fprintf(b, "| `%s` | `%s` | %s |\n", o.Key, o.Default, o.Meaning)
	}
}

// codes returns the code of a refusal and, where STATUS has one as well, that one; "-"
// for a look at the node, which refuses nothing.
func codes(e entry) string {
	if e.When == guard.Node.String() {
		return "-"
	}
	if e.StatusCode == 0 {
		return fmt.Sprint(e.Code)
	}
	return fmt.Sprintf("%d, STATUS %d", e.Code, e.StatusCode)
}
