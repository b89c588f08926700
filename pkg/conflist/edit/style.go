// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"
)

// separator is what stands between two entries of this list: the comma, with the
// blanks that the list has around it. Where there is one entry only, the blanks
// in front of it tell.
func (l layout) separator() []byte {
	n := len(l.entries)
	if n > 1 {
		return bytes.Clone(l.doc[l.entries[n-2].to:l.entries[n-1].from])
	}
	before := l.doc[l.open:l.entries[0].from]
	if bytes.ContainsAny(before, "\n\r") {
		return append([]byte(","), before...)
	}
	return append([]byte(","), l.blank()...)
}

// blank is what follows the commas of a list that stands on one line.
func (l layout) blank() string {
	blank, found := " ", false
	end := -1 // of the value before
	gjson.ParseBytes(l.doc).ForEach(func(key, value gjson.Result) bool {
		if end >= 0 && !found {
			between := string(l.doc[end:key.Index])
			_, after, _ := strings.Cut(between, ",")
			if !strings.ContainsAny(after, "\n\r") {
				blank, found = after, true
			}
		}
		end = value.Index + len(value.Raw)
		return !found
	})
	return blank
}

// style writes an entry as its neighbour is written: on one line, or on several
// with the indentation and the line ends of the list.
func (l layout) style(entry []byte) []byte {
	last := l.entries[len(l.entries)-1]
	like := l.doc[last.from:last.to]
	var b bytes.Buffer
	if !bytes.Contains(like, []byte("\n")) {
		// Compact and Indent fail for what is no JSON only.
		if l.dense(like) {
			_ = json.Compact(&b, entry)
			return b.Bytes()
		}
		return spaced(entry)
	}
	outer, inner := indentation(like)
	_ = json.Indent(&b, bytes.TrimSpace(entry), outer, strings.TrimPrefix(inner, outer))
	if bytes.Contains(like, []byte("\r\n")) {
		return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n"))
	}
	return b.Bytes()
}

// indentation gives that of the line that closes an object, and that of its first
// key.
func indentation(object []byte) (outer, inner string) {
	lines := strings.Split(string(object), "\n")
	outer, inner = leading(lines[len(lines)-1]), leading(lines[1])
	if !strings.HasPrefix(inner, outer) || inner == outer {
		inner = outer + "  "
	}
	return outer, inner
}

func leading(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// dense tells of an object on one line that no blank follows its colons.
func (l layout) dense(object []byte) bool {
	key := gjson.ParseBytes(object)
	dense := true
	key.ForEach(func(k, v gjson.Result) bool {
		dense = k.Index+len(k.Raw)+1 == v.Index
		return false
	})
	return dense
}

// spaced writes an entry on one line, with a blank behind each colon and comma.
func spaced(entry []byte) []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, bytes.TrimSpace(entry), "", "")
	lines := strings.Split(b.String(), "\n")
	var out strings.Builder
	for i, line := range lines {
		out.WriteString(line)
		if i+1 < len(lines) && strings.HasSuffix(line, ",") {
			out.WriteString(" ")
		}
	}
	return []byte(out.String())
}
