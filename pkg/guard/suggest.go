// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"fmt"
	"strings"
)

// Suggest words the way back from a misspelt word, to be appended to an error:
// the nearest valid word where one is near, or else all of them.
func Suggest(word string, valid []string) string {
	nearest, best := "", len(word)/2+1
	for _, v := range valid {
		if d := distance(word, v); d < best {
			nearest, best = v, d
		}
	}
	if nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return "; valid are " + strings.Join(valid, ", ")
}

// distance counts the single-byte edits between two words (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
