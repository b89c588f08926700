// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"path"
	"strings"
)

// matches reports whether a pattern of fnmatch(3) matches the name. A pattern that
// is malformed matches itself only, as in C.
func matches(pattern, name string) bool {
	// path.Match negates by ^ where the shell does by !, and lets no * match a slash,
	// of which names of interfaces and elements of keys have none.
	ok, err := path.Match(strings.ReplaceAll(pattern, "[!", "[^"), name)
	return ok || err != nil && pattern == name
}

func isGlob(text string) bool { return strings.ContainsAny(text, "*?[") }
