// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"strings"
)

// lines redacts INI, TOML, YAML and environment files, command lines, and JSON that does
// not parse: all of these have a setting in a line, and what belongs to it below.
func (r *Redactor) lines(text string) []byte {
	text = r.inline(text) // first, because a PEM block has several lines
	var out strings.Builder
	var below *hidden
	for line := range strings.Lines(text) {
		body := strings.TrimSuffix(line, "\n")
		end := line[len(body):]
		if below != nil {
			if below.covers(body) {
				r.n++
				out.WriteString(below.instead(body) + end)
				continue
			}
			below = nil
		}
		if isJSON([]byte(body)) {
			out.Write(r.json([]byte(body)))
			out.WriteString(end)
			continue
		}
		redacted, rest := r.line(body)
		out.WriteString(redacted + end)
		below = rest
	}
	return []byte(out.String())
}

// A hidden is the lines below a setting that belong to its secret value.
type hidden struct {
	indent int    // lines with a deeper indentation belong to it; -1: see the others
	empty  bool   // the line of the key has no value
	until  string // or all lines up to the one with this in it
	next   bool   // or the next line, as the one before ends in a backslash
	ended  bool
}

// covers reports whether a line belongs to the value.
func (h *hidden) covers(line string) bool {
	switch {
	case h.ended:
		return false
	case h.until != "":
		h.ended = strings.Contains(line, h.until)
		return true
	case h.next:
		h.next = strings.HasSuffix(strings.TrimRight(line, "\r"), `\`)
		h.ended = !h.next
		return true
	}
	trimmed := strings.TrimSpace(line)
	isItem := h.empty && indentOf(line) == h.indent && strings.HasPrefix(trimmed, "-") // YAML does not indent a list
	return trimmed == "" || indentOf(line) > h.indent || isItem
}

// instead returns what takes the place of a line.
func (h *hidden) instead(line string) string {
	space := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.TrimSpace(line) == "":
		return line
	case h.until != "" && h.ended:
		return space + h.until
	case h.until != "" || h.next || h.ended:
		return space
	}
	return space + Mark
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// line redacts one line, and returns what of the lines below belongs to a secret value.
func (r *Redactor) line(line string) (string, *hidden) {
	if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
		return r.comment(line), nil
	}
	m := r.setting.FindStringSubmatch(line)
	if m == nil {
		return r.several(line), nil
	}
	before, key, separator, value, end := m[1], m[2], m[3], m[4], m[5]
	if !r.isSecret(lastWord(key)) {
		return before + key + separator + r.several(value) + end, nil
	}
	indent := indentOf(before)
	if strings.Contains(before, "-") {
		indent = len(before) // the keys of an item of a list are as deep as the first
	}
	switch {
	case strings.HasPrefix(value, `"""`) && strings.Count(value, `"""`) == 1:
		r.n++
		return before + key + separator + `"""` + Mark + end, &hidden{until: `"""`}
	case strings.HasPrefix(value, `'''`) && strings.Count(value, `'''`) == 1:
		r.n++
		return before + key + separator + `'''` + Mark + end, &hidden{until: `'''`}
	case r.block.MatchString(value), value == "":
		return line, &hidden{indent: indent, empty: value == ""}
	case strings.HasSuffix(value, `\`):
		r.n++
		return before + key + separator + Mark + end, &hidden{next: true}
	}
	r.n++
	// What follows with a deeper indentation continues a plain value, in YAML and in INI.
	return before + key + separator + markLike(value) + end, &hidden{indent: indent}
}

// comment redacts a line that is commented out.
func (r *Redactor) comment(line string) string {
	at := strings.IndexAny(line, "#;")
	if at < 0 {
		return line
	}
	redacted, _ := r.line(strings.TrimLeft(line[at+1:], "#; \t"))
	if redacted == strings.TrimLeft(line[at+1:], "#; \t") {
		return line
	}
	return line[:at+1] + " " + redacted
}

// several redacts a text that may hold several settings: a command line, an inline table,
// or JSON that does not parse.
func (r *Redactor) several(text string) string {
	text = r.flags(text)
	return r.pair.ReplaceAllStringFunc(text, func(found string) string {
		m := r.pair.FindStringSubmatch(found)
		if !r.isSecret(lastWord(m[2])) {
			return found
		}
		r.n++
		return m[1] + m[2] + m[3] + markLike(m[4])
	})
}

// lastWord returns the last element of a dotted key: what the setting is called in its
// table.
func lastWord(key string) string {
	key = strings.TrimSpace(key)
	if at := strings.LastIndexAny(key, "./ "); at >= 0 {
		return key[at+1:]
	}
	return key
}

// markLike returns the mark in the quotes that a value has, with the comma behind it.
func markLike(value string) string {
	value = strings.TrimSpace(value)
	comma := ""
	for _, last := range []string{",", "}", "]", ";"} {
		if strings.HasSuffix(value, last) && !strings.ContainsAny(value[:1], "{[") {
			comma = last
		}
	}
	switch {
	case strings.HasPrefix(value, `"`):
		return `"` + Mark + `"` + comma
	case strings.HasPrefix(value, `'`):
		return `'` + Mark + `'` + comma
	case comma == ",":
		return Mark + comma
	}
	return Mark
}
