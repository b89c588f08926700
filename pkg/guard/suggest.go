// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"fmt"
	"strconv"
	"strings"
)

// Suggest words the way back from a misspelt word, to be appended to an error:
// the nearest valid word where one is near, or else all of them.
func Suggest(word string, valid []string) string {
	nearest, best := "", len(word)/2+1
	if len(word) <= maxQuoted { // no valid word is that long
		for _, v := range valid {
			if d := distance(word, v); d < best {
				nearest, best = v, d
			}
		}
	}
	if nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return "; valid are " + strings.Join(valid, ", ")
}

// Similar returns the word of valid that a misspelt word was meant to be, and ""
// where none is near: it differs in letter case, hyphens or underscores only, or
// by one edit for each four letters (at least one). Two neighbouring letters that
// changed places are one edit.
func Similar(word string, valid []string) string {
	plain := plainWord(word)
	nearest, best := "", 0
	for _, v := range valid {
		want, allowed := plainWord(v), max(1, len(v)/4)
		if len(plain) > len(want)+allowed {
			continue // a long word takes no time
		}
		if d := distance(plain, want); d <= allowed && (nearest == "" || d < best) {
			nearest, best = v, d
		}
	}
	return nearest
}

// plainWord returns a word without what people write in different ways.
func plainWord(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// maxQuoted bounds what messages repeat of a word, in bytes.
const maxQuoted = 64

// Quote quotes a word of a configuration for a message, and shortens it where it
// is very long.
func Quote(word string) string {
	if len(word) > maxQuoted {
		word = strings.ToValidUTF8(word[:maxQuoted], "") + "…"
	}
	return strconv.Quote(word)
}

// distance counts the single-byte edits between two words: substitutions,
// insertions, deletions, and two neighbours that changed places (optimal string
// alignment).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
