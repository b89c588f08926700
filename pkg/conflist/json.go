// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// explainJSON returns the error of a decoder in words for the usual mistakes, and with
// the line for others.
func explainJSON(doc []byte, err error) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		if mismatch.Field == "" {
			return fmt.Errorf("it is JSON, but no object: %s", mismatch.Value)
		}
		return fmt.Errorf("%s has the wrong type: %s", mismatch.Field, mismatch.Value)
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("parse JSON: %w", err)
	}
	switch {
	case len(bytes.TrimSpace(doc)) == 0:
		return errors.New("it is empty")
	case bytes.HasPrefix(doc, []byte("\xef\xbb\xbf")):
		return errors.New("it begins with a byte order mark (BOM): save it as UTF-8 without one")
	case isUTF16(doc):
		return errors.New("it is encoded in UTF-16: save it as UTF-8 without a byte order mark")
	case bytes.IndexByte(doc, 0) >= 0 && len(bytes.Trim(doc, "\x00")) == 0:
		return fmt.Errorf("it consists of %d zero bytes, as after a crash of the node during a write: write it again", len(doc))
	}
	at := min(max(syntax.Offset-1, 0), int64(len(doc)))
	line := 1 + bytes.Count(doc[:at], []byte("\n"))
	if rest := doc[at:]; len(rest) > 0 {
		switch rest[0] {
		case 0:
			return fmt.Errorf("parse JSON: line %d has a zero byte (NUL)", line)
		case '/', '#':
			return fmt.Errorf("parse JSON: line %d has a comment, which JSON does not allow", line)
		}
	}
	return fmt.Errorf("parse JSON: line %d: %w", line, err)
}

// isUTF16 reports whether a document is UTF-16 or UTF-32: it begins with a byte order
// mark of these, or has a zero byte beside its first brace.
func isUTF16(doc []byte) bool {
	for _, start := range []string{"\xff\xfe", "\xfe\xff", "\x00\x00\xfe\xff", "{\x00", "\x00{", "\x00\x00\x00{"} {
		if bytes.HasPrefix(doc, []byte(start)) {
			return true
		}
	}
	return false
}

// typeName returns the type of a JSON value with its article.
func typeName(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// checkNumbers refuses a number that does not fit into a float64, as libcni does, which
// decodes lists into map[string]any. The document is valid JSON.
func checkNumbers(doc []byte) error {
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case c == '"':
			i = endOfString(doc, i)
		case c == '-' || '0' <= c && c <= '9':
			end := endOfNumber(doc, i)
			if !fitsFloat64(doc[i:end]) {
				return fmt.Errorf("number %.20s is out of range", doc[i:end])
			}
			i = end - 1
		}
	}
	return nil
}

// fitsFloat64 parses only what could be too large: 1e309, or 300 digits and more.
func fitsFloat64(number []byte) bool {
	if len(number) < 300 && bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return true
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err == nil
}

// endOfString returns the index of the quote that closes the string at i.
func endOfString(doc []byte, i int) int {
	for i++; doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i
}

// endOfNumber returns the index after the number at i.
func endOfNumber(doc []byte, i int) int {
	for i < len(doc) && strings.IndexByte("+-.eE0123456789", doc[i]) >= 0 {
		i++
	}
	return i
}

// maxKeys is how many keys of one object hasDistinctKeys compares.
const maxKeys = 24

// hasDistinctKeys reports whether no object of a valid document has two keys that a
// decoder could take for one, so that their order does not matter. It is false as well
// where that would be costly to decide: for keys with escapes or beyond ASCII, which
// fold too (the Kelvin sign to k), and for objects with many keys.
func hasDistinctKeys(doc []byte) bool {
	_, distinct := scanKeys(doc, 0)
	return distinct
}

// scanKeys scans the value at i, and returns the index where it ends.
func scanKeys(doc []byte, i int) (end int, distinct bool) {
	var seen [maxKeys][]byte
	n := 0
	for ; i < len(doc); i++ {
		switch doc[i] {
		case '{', '[':
			if i, distinct = scanKeys(doc, i+1); !distinct {
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
			if n == maxKeys || !isPlainASCII(key) || slices.ContainsFunc(seen[:n], func(k []byte) bool { return bytes.EqualFold(k, key) }) {
				return i, false
			}
			seen[n] = key
			n++
		}
	}
	return i, true
}

// isKey reports whether a colon follows the string that ends at i.
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

// isPlainASCII reports whether a key has neither escapes nor characters beyond ASCII.
func isPlainASCII(key []byte) bool {
	return !slices.ContainsFunc(key, func(c byte) bool { return c == '\\' || c >= 0x80 })
}
