// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"os"
	"strings"
)

// aMount is what to do about a file that is mounted.
const aMount = "change it where it is mounted from, or unmount it"

// mounted tells a file that is a mount of its own (docker run -v FILE:FILE): a
// rename over it ends in EBUSY.
func mounted(path string) bool {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false // the rename will tell
	}
	for line := range strings.Lines(string(content)) {
		// proc(5): the fifth field is the mount point, with octal escapes.
		if fields := strings.Fields(line); len(fields) > 4 && unescape(fields[4]) == path {
			return true
		}
	}
	return false
}

// unescape undoes what seq_path of the kernel does to names.
func unescape(field string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(field)
}
