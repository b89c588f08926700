// SPDX-License-Identifier: Apache-2.0

package runtimeconf

import (
	"fmt"
	"strings"
)

// ScanNetworkString returns a string of the table crio.network in a configuration file of
// CRI-O. It understands the part of TOML in which people and packages write such a key: a
// line of its own below [crio.network] or prefixed with the name of the table, and a
// quoted string without escapes. It returns an error if the key occurs in any other form.
func ScanNetworkString(text, key string) (value string, set bool, err error) {
	if !containsFold(text, key) {
		return "", false, nil
	}
	if strings.Contains(text, `"""`) || strings.Contains(text, "'''") {
		return "", false, fmt.Errorf("%s is in a file with multi-line strings, which cni-guard does not parse", key)
	}
	unparsable := func(line string) error {
		return fmt.Errorf("%s is in a line that cni-guard cannot parse: %.100q", key, line)
	}
	table, known, open := "", true, 0 // open counts the brackets of a value that continues on the next line
	for line := range strings.Lines(text) {
		line = withoutComment(strings.TrimSpace(line))
		name, rest, _ := strings.Cut(line, "=")
		switch {
		case open > 0 && containsFold(line, key):
			return "", false, unparsable(line)
		case open == 0 && strings.HasPrefix(line, "["):
			table, known = header(line)
			continue
		case open == 0 && containsFold(line, key):
			text, plain := plainString(strings.TrimSpace(rest))
			full, bare := dotted(table, name)
			if !known || !plain || !bare {
				return "", false, unparsable(line)
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

// withoutComment returns a line up to the first # outside of strings.
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

// brackets returns how many more brackets a line opens than it closes, outside of strings.
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

// containsFold reports whether a text contains an ASCII word in any letter case, because
// CRI-O's parser ignores the case of keys.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// header returns the name of the table that a line opens, without spaces and quotes. It
// reports false for anything but a plain header, such as the header of an array.
func header(line string) (name string, known bool) {
	name, rest, closed := strings.Cut(line[1:], "]")
	full, bare := dotted("", name)
	return full, closed && bare && rest == ""
}

// dotted joins the name of a table and a key, which may be dotted itself. It reports false
// if the key contains anything but letters, digits, underscores and dashes.
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

// plainString parses a quoted string without escapes that nothing follows.
func plainString(text string) (value string, ok bool) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		return "", false
	}
	value, rest, closed := strings.Cut(text[1:], text[:1])
	return value, closed && rest == "" && !(text[0] == '"' && strings.Contains(value, `\`))
}
