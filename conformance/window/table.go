// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A Table is what was measured.
type Table struct {
	Load     Load
	Ways     []Way
	Runtimes []string // versions
	Results  []Result
}

// The table of the documentation is between these.
const (
	beginMark = "<!-- window: scripts/window.sh writes this table -->\n"
	endMark   = "<!-- end of window -->\n"
)

// String is a line for a terminal.
func (r Result) String() string {
	return fmt.Sprintf("undone after %s; of %d pods %d wrong (%d asked for afterwards), %d without the guard, %d refused, %d failed; last wrong call %s afterwards %q",
		times(r.Kept), r.Pods, r.Wrong, r.WrongAfter, r.Unguarded, r.Refused, r.Failed, ms(r.Lag), r.Errors)
}

// Markdown returns the table, with a row for each way and runtime.
func (t Table) Markdown() string {
	var b strings.Builder
	b.WriteString("| change | runtime | undone after: median, most | pods | wrong network | of these asked for afterwards | last wrong call afterwards | without the guard | refused, tried again | failed |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, way := range t.Ways {
		for _, r := range t.Results {
			if r.Way == way.Name {
				fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d | %s | %d | %d | %d |\n",
					way.About, r.Runtime, times(r.Kept), r.Pods, r.Wrong, r.WrongAfter, ms(r.Lag), r.Unguarded, r.Refused, r.Failed)
			}
		}
	}
	return b.String()
}

// WriteInto writes the table into a file, between its marks.
func (t Table) WriteInto(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	before, rest, found := strings.Cut(string(text), beginMark)
	_, after, closed := strings.Cut(rest, endMark)
	if !found || !closed {
		return fmt.Errorf("write table: %s has no marks for it", file)
	}
	page := before + beginMark + t.Markdown() + endMark + after
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

func times(all []time.Duration) string {
	if len(all) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(all))
	return ms(sorted[len(sorted)/2]) + ", " + ms(sorted[len(sorted)-1])
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
