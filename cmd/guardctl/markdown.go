// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
)

//go:generate sh -c "go run . checks -o markdown > checks.md.new && mv checks.md.new ../../docs/checks.md"

// writeMarkdown writes docs/checks.md.
func writeMarkdown(w io.Writer, entries []entry) error {
	var b strings.Builder
	b.WriteString("<!-- Written by `make generate` from the checks themselves. -->\n\n# Checks\n\n" +
		"In the order in which they run. *Default* is the policy without configuration: `enforce`\n" +
		"refuses the call, `warn` only reports. A check that could not tell refuses nothing. `node`\n" +
		"is a look at the node without a pod, by hand or by an agent; nothing takes it yet.\n\n" +
		"| check | runs on | default | repairs on | code |\n|---|---|---|---|---|\n")
	for _, e := range entries {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %d |\n", e.Name, e.Name, e.When, e.Default, orDash(e.Repairs), e.Code)
	}
	for _, e := range entries {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n**How it is seen.** %s\n\n**What to do.** %s\n", e.Name, e.Prevents, e.Seen, e.Remedy)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
