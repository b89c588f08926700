// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"
)

// A log is read to find one thing.
const (
	maxLines  = 25
	maxLength = 600
)

// trouble is what a line must have one of: what runtimes and the guard write when
// something is wrong, and what they write of networks.
func trouble() []string {
	return []string{
		"level=warning", "level=error", "level=fatal", "level=panic", `"level":"`, "panic:", "fatal error:",
		"network for sandbox", "plugin type=", "CNI", "cni config",
	}
}

// start is what every containerd complains of at its start: what it was built
// without, and what this kernel lacks.
func start() []string {
	return []string{"io.containerd.snapshotter", "snapshotter devmapper", "Start cri plugin with config", "cri plugin config"}
}

// Relevant picks the last lines of a runtime's log that tell of trouble or of
// networks.
func Relevant(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		has := func(word string) bool { return strings.Contains(line, word) }
		if !slices.ContainsFunc(trouble(), has) || slices.ContainsFunc(start(), has) {
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
