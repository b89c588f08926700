// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"
)

// A log is read by somebody who looks for one thing.
const (
	maxLines  = 25
	maxLength = 600
)

// Relevant picks the last lines of a runtime's log that tell of trouble or of
// networks.
func Relevant(log string) []string {
	words := []string{"level=warning", "level=error", "level=fatal", "level=panic", `"level":"`, "panic:", "fatal error:", "cni", "CNI"}
	var lines []string
	for line := range strings.Lines(log) {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
			continue
		}
		line = strings.TrimSpace(line)
		if len(line) > maxLength {
			line = line[:maxLength] + "…"
		}
		lines = append(lines, line)
	}
	return lines[max(0, len(lines)-maxLines):]
}
