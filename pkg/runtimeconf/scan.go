// SPDX-License-Identifier: Apache-2.0

package runtimeconf

import (
	"fmt"
	"strings"
)

// ScanNetworkString finds a string of the table crio.network in a file of CRI-O. It
// knows the part of TOML in which people and packages write such a key: a line of
// its own below [crio.network], or with the name of the table in front, and a
// string in quotes without escapes. Where the key stands in any other way, the
// error says that it is unknown.
func ScanNetworkString(text, key string) (value string, set bool, err error) {
	if !containsFold(text, key) {
		return "", false, nil
	}
	if strings.Contains(text, `"""`) || strings.Contains(text, "'''") {
		return "", false, fmt.Errorf("%s stands in a file with strings of several lines, which are not understood", key)
	}
	odd := func(line string) error {
		return fmt.Errorf("%s stands in a line that is not understood: %.100q", key, line)
	}
	table, known, open := "", true, 0 // open counts the brackets of a value that goes on
	for line := range strings.Lines(text) {
		line = withoutComment(strings.TrimSpace(line))
		name, rest, _ := strings.Cut(line, "=")
		switch {
		case open > 0 && containsFold(line, key):
			return "", false, odd(line)
		case open == 0 && strings.HasPrefix(line, "["):
			table, known = header(line)
			continue
		case open == 0 && containsFold(line, key):
			text, plain := plainString(strings.TrimSpace(rest))
			full, bare := dotted(table, name)
			if !known || !plain || !bare {
				return "", false, odd(line)
			}
			if strings.EqualFold(full, "crio.network."+key) {
				value, set = text, true
			}
			continue
		}
		open += brackets(line)
	}
	return value, set, nil
}

// withoutComment returns a line up to the # that is in no string.
func withoutComment(line string) string {
	quote := rune(0)
	for i, r := range line {
		switch {
		case quote == 0 && r == '#':
			return strings.TrimSpace(line[:i])
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case r == quote && !(r == '"' && i > 0 && line[i-1] == '\\'):
			quote = 0
		}
	}
	return line
}

// brackets returns how many brackets more a line opens than it closes, outside of
// strings.
func brackets(line string) (n int) {
	quote := rune(0)
	for i, r := range line {
		switch {
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case r == quote && !(r == '"' && i > 0 && line[i-1] == '\\'):
			quote = 0
		case quote != 0:
		case r == '[' || r == '{':
			n++
		case r == ']' || r == '}':
			n--
		}
	}
	return n
}

// containsFold reports whether a text contains an ASCII word in any case: CRI-O's
// parser takes keys in any case.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// header returns the name of the table that a line opens, without blanks and
// quotes. It reports false for what is no plain header, such as that of an array.
func header(line string) (name string, known bool) {
	name, rest, closed := strings.Cut(line[1:], "]")
	full, bare := dotted("", name)
	return full, closed && bare && rest == ""
}

// dotted joins the name of a table and a key, which may be dotted itself. It
// reports false for a key that is no plain one.
func dotted(table, key string) (string, bool) {
	full := table
	for part := range strings.SplitSeq(key, ".") {
		part = strings.TrimSpace(part)
		if n := len(part); n > 1 && part[0] == part[n-1] && (part[0] == '"' || part[0] == '\'') {
			part = part[1 : n-1]
		}
		for _, r := range part {
			if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
				return "", false
			}
		}
		if part == "" {
			return "", false
		}
		if full != "" {
			full += "."
		}
		full += part
	}
	return full, true
}

// plainString reads a string in quotes, without escapes, and nothing behind it.
func plainString(text string) (value string, ok bool) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		return "", false
	}
	value, rest, closed := strings.Cut(text[1:], text[:1])
	return value, closed && rest == "" && !(text[0] == '"' && strings.Contains(value, `\`))
}
