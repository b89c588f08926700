// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"strings"
)

// A Value is an assignment, and where it stands.
type Value struct {
	Text string
	File string
	Line int // the first is 1
}

// String returns the place, as compilers print it.
func (v Value) String() string { return fmt.Sprintf("%s:%d", v.File, v.Line) }

// settings are the sections of a configuration file and of its drop-ins.
// github.com/coreos/go-systemd/v22/unit parses the same syntax, but rejects a whole
// file for one line that systemd ignores.
type settings struct {
	files       []string
	assignments []assignment
}

type assignment struct {
	section, key string
	Value
}

func parseSettings(files []file) settings {
	var s settings
	for _, f := range files {
		s.files = append(s.files, f.path)
		s.parse(f)
	}
	return s
}

// parse follows systemd's config_parse: a backslash at the end continues a line, a
// comment within a continued line is left out, and a line without "=" is ignored.
func (s *settings) parse(f file) {
	section, pending, began := "", "", 0
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(f.data), "\ufeff")) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(line); trimmed != "" && strings.ContainsRune("#;", rune(trimmed[0])) {
			continue
		}
		if pending == "" {
			began = number
		}
		if (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1 {
			pending += line[:len(line)-1] + " "
			continue
		}
		section = s.line(section, pending+line, f.path, began)
		pending = ""
	}
	s.line(section, pending, f.path, began)
}

// line takes one line and returns the section that the next one is in.
func (s *settings) line(section, line, path string, number int) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "[") {
		if name, ok := strings.CutSuffix(line[1:], "]"); ok {
			return name
		}
		return section
	}
	key, value, ok := strings.Cut(line, "=")
	if key = strings.TrimSpace(key); ok && key != "" {
		text := strings.TrimSpace(value)
		s.assignments = append(s.assignments, assignment{section, key, Value{text, path, number}})
	}
	return section
}

// last returns the assignment that holds for a key with one value; false where
// there is none, or an empty one reset it.
func (s settings) last(section, key string) (v Value, ok bool) {
	for _, a := range s.assignments {
		if a.section == section && a.key == key {
			v, ok = a.Value, a.Text != ""
		}
	}
	return v, ok
}

// all returns the assignments that hold for a key that takes a list: an empty
// one discards those before it.
func (s settings) all(section, key string) []Value {
	var values []Value
	for _, a := range s.assignments {
		switch {
		case a.section != section || a.key != key:
		case a.Text == "":
			values = nil
		default:
			values = append(values, a.Value)
		}
	}
	return values
}

// isTrue reads a boolean as systemd does; ok is false where it is none.
func isTrue(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "1", "yes", "y", "true", "t", "on":
		return true, true
	case "0", "no", "n", "false", "f", "off":
		return false, true
	}
	return false, false
}

// boolean returns a boolean setting, or what holds without it. A value that is no
// boolean is ignored, as systemd does.
func (s settings) boolean(section, key string, otherwise bool) (bool, Value) {
	value, where := otherwise, Value{}
	for _, a := range s.assignments {
		if a.section != section || a.key != key {
			continue
		}
		if b, ok := isTrue(a.Text); ok {
			value, where = b, a.Value
		}
	}
	return value, where
}
