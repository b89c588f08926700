// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"bytes"
	"slices"
)

// manyKeys is how many keys of one object are compared with each other.
const manyKeys = 24

// distinctKeys tells of a valid document that no object in it has two keys that
// a decoder might take for one, so that their order does not matter. It is false
// where that takes more than a glance: keys with escapes or beyond ASCII (which
// fold as well, like the Kelvin sign to k), or very many.
func distinctKeys(doc []byte) bool {
	_, distinct := distinctIn(doc, 0)
	return distinct
}

// distinctIn looks at the value at i, and gives where it ends.
func distinctIn(doc []byte, i int) (end int, distinct bool) {
	var seen [manyKeys][]byte
	n := 0
	for ; i < len(doc); i++ {
		switch c := doc[i]; c {
		case '{', '[':
			if i, distinct = distinctIn(doc, i+1); !distinct {
				return i, false
			}
		case '}', ']':
			return i, true
		case '"':
			start := i + 1
			i = endOfString(doc, i)
			if !isKey(doc, i) {
				continue
			}
			key := doc[start:i]
			if n == manyKeys || !plain(key) || slices.ContainsFunc(seen[:n], func(k []byte) bool { return bytes.EqualFold(k, key) }) {
				return i, false
			}
			seen[n] = key
			n++
		}
	}
	return i, true
}

// isKey tells of a string that ends at i whether a colon follows.
func isKey(doc []byte, i int) bool {
	for i++; i < len(doc); i++ {
		switch doc[i] {
		case ' ', '\t', '\r', '\n':
		default:
			return doc[i] == ':'
		}
	}
	return false
}

func plain(key []byte) bool {
	for _, c := range key {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}
