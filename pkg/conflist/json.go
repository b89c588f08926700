// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// wrong names the usual slips, and else the line.
func wrong(doc []byte, err error) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return mistyped(mismatch)
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
	case utf16(doc):
		return errors.New("it is encoded in UTF-16: save it as UTF-8 without a byte order mark")
	case bytes.IndexByte(doc, 0) >= 0 && len(bytes.Trim(doc, "\x00")) == 0:
		return fmt.Errorf("it is %d zero bytes and nothing else, as a file that was being written when the node went down: write it again", len(doc))
	}
	at := min(max(syntax.Offset-1, 0), int64(len(doc)))
	line := 1 + bytes.Count(doc[:at], []byte("\n"))
	if rest := doc[at:]; len(rest) > 0 && rest[0] == 0 {
		return fmt.Errorf("parse JSON: line %d has a zero byte (NUL), which no text has", line)
	}
	if rest := doc[at:]; len(rest) > 0 && (rest[0] == '/' || rest[0] == '#') {
		return fmt.Errorf("parse JSON: line %d has a comment, and JSON has none", line)
	}
	return fmt.Errorf("parse JSON: line %d: %w", line, err)
}

// utf16 reports whether a document is UTF-16 or UTF-32: it begins with their byte order
// mark, or has a zero beside its first brace.
func utf16(doc []byte) bool {
	for _, start := range []string{"\xff\xfe", "\xfe\xff", "\x00\x00\xfe\xff", "{\x00", "\x00{", "\x00\x00\x00{"} {
		if bytes.HasPrefix(doc, []byte(start)) {
			return true
		}
	}
	return false
}

// mistyped says which key has a value of another type than libcni wants.
func mistyped(err *json.UnmarshalTypeError) error {
	if err.Field == "" {
		return fmt.Errorf("it is JSON, but no object: %s", err.Value)
	}
	return fmt.Errorf("%s is of the wrong type: %s", err.Field, err.Value)
}

// numbersFit refuses a number that no float64 holds, as libcni does, which reads
// lists into maps of any. The document is valid.
func numbersFit(doc []byte) error {
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case c == '"':
			i = endOfString(doc, i)
		case c == '-' || '0' <= c && c <= '9':
			end := endOfNumber(doc, i)
			if !fits(doc[i:end]) {
				return fmt.Errorf("number %.20s is out of range", doc[i:end])
			}
			i = end - 1
		}
	}
	return nil
}

// fits parses only what could be too large: 1e309, or more than 300 digits.
func fits(number []byte) bool {
	if len(number) < 300 && bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return true
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err == nil
}

// endOfString gives where the closing quote is.
func endOfString(doc []byte, i int) int {
	for i++; doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i
}

func endOfNumber(doc []byte, i int) int {
	for i < len(doc) && strings.IndexByte("+-.eE0123456789", doc[i]) >= 0 {
		i++
	}
	return i
}

// kindOf names what a JSON value is, with its article.
func kindOf(raw json.RawMessage) string {
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
