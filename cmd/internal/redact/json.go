// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"encoding/json"
	"strings"
)

// json redacts a document that is valid. What is not redacted stays byte by byte.
func (r *Redactor) json(text []byte) []byte {
	s := &scan{text: text, r: r}
	s.value(false)
	s.out.Write(text[s.done:])
	return s.out.Bytes()
}

// A scan copies a valid JSON document, and replaces values.
type scan struct {
	r    *Redactor
	text []byte
	at   int
	out  bytes.Buffer
	done int // bytes of text that out has
}

func (s *scan) space() {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n,:", s.text[s.at]) >= 0 {
		s.at++
	}
}

// value passes one value. A secret one is replaced, and so is everything in it.
func (s *scan) value(secret bool) {
	s.space()
	if s.at >= len(s.text) {
		return
	}
	switch s.text[s.at] {
	case '{':
		s.at++
		for s.space(); s.at < len(s.text) && s.text[s.at] != '}'; s.space() {
			key := s.str()
			s.value(secret || s.r.isSecret(key))
		}
		s.at++
	case '[':
		s.at++
		for s.space(); s.at < len(s.text) && s.text[s.at] != ']'; s.space() {
			s.value(secret)
		}
		s.at++
	case '"':
		from := s.at
		text := s.str()
		instead := text
		switch {
		case secret && text != "":
			instead = Mark
			s.r.n++
		case isJSON([]byte(text)):
			instead = string(s.r.json([]byte(text)))
		case strings.ContainsAny(text, "\n"):
			instead = string(s.r.lines(text))
		default:
			instead = s.r.several(s.r.inline(text))
		}
		if instead != text {
			s.replace(from, instead)
		}
	default:
		from := s.at
		for s.at < len(s.text) && strings.IndexByte(" \t\r\n,:]}", s.text[s.at]) < 0 {
			s.at++
		}
		if secret && s.text[from] != 'n' && s.text[from] != 't' && s.text[from] != 'f' {
			s.r.n++
			s.replace(from, Mark)
		}
	}
}

// str passes a string and returns it.
func (s *scan) str() string {
	from := s.at
	for s.at++; s.at < len(s.text) && s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at = min(s.at+1, len(s.text))
	var text string
	_ = json.Unmarshal(s.text[from:s.at], &text) // the document is valid
	return text
}

// replace writes a string in the place of what was passed since from.
func (s *scan) replace(from int, text string) {
	s.out.Write(s.text[s.done:from])
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // into memory, of a string
	s.out.Write(bytes.TrimSpace(quoted.Bytes()))
	s.done = s.at
}
