// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"bytes"
	"io"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns a JSON document with everything that is not printable as \u… escapes, in
// surrogate pairs above U+FFFF (RFC 8259, section 7). A decoder returns the same values as
// before, except that bytes in a string that are not UTF-8 become U+FFFD, as decoders make
// of them anyway. encoding/json does not escape DEL, C1 and characters beyond ASCII. JSON
// keeps the newlines and tabs between values.
//
// JSON returns document itself if there is nothing to escape.
func JSON(document []byte) []byte {
	if isClean(document) {
		return document
	}
	return escape(make([]byte, 0, len(document)+64), document)
}

// A Writer writes to another writer and escapes everything that is not printable, except
// newlines and tabs. The escapes are those of JSON, so a JSON document stays the same
// document.
//
// If a character is split between two writes, its beginning waits for the second one, and
// Flush writes it at the end of the output. A Writer may be used by several goroutines.
type Writer struct {
	to     io.Writer
	styles bool
	mu     sync.Mutex
	rest   []byte // the beginning of a character
}

// NewWriter returns a Writer that writes to another one.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// KeepStyles makes w keep the sequences that set a style of package terminal: bold, faint,
// red, green, yellow, and the end of these (ECMA-48, SGR). No other sequence passes.
func (w *Writer) KeepStyles() { w.styles = true }

// Write writes p to the underlying writer, in one write.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if len(w.rest) > 0 {
		text = append(w.rest, p...)
		w.rest = nil
	}
	if isClean(text) {
		return w.pass(text, len(p))
	}
	whole := len(text) - incompleteBytes(text)
	w.rest = append(w.rest, text[whole:]...)
	return w.pass(w.escape(make([]byte, 0, len(text)+64), text[:whole]), len(p))
}

// pass writes text, which represents n bytes of the caller.
func (w *Writer) pass(text []byte, n int) (int, error) {
	if len(text) == 0 {
		return n, nil
	}
	if _, err := w.to.Write(text); err != nil {
		return 0, err
	}
	return n, nil
}

// Flush writes the beginning of a character whose rest did not come.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.rest
	w.rest = nil
	_, err := w.pass(escape(nil, rest), 0)
	return err
}

// incompleteBytes returns how many bytes at the end of text are the beginning of a
// character.
func incompleteBytes(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if c := text[len(text)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(text[len(text)-n:]) {
				return n
			}
			break
		}
	}
	return 0
}

// isClean reports whether text is printable ASCII, newlines and tabs.
func isClean(text []byte) bool {
	for _, c := range text {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// escape appends the escaped text to b.
func escape(b, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b = unit(b, utf8.RuneError)
		case isPrintable(r) || r == '\n' || r == '\t':
			b = append(b, text[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = unit(unit(b, high), low)
		default:
			b = unit(b, r)
		}
		text = text[size:]
	}
	return b
}

// unit appends the escape of a UTF-16 code unit.
func unit(b []byte, r rune) []byte {
	const digit = "0123456789abcdef"
	return append(b, '\\', 'u', digit[r>>12&0xf], digit[r>>8&0xf], digit[r>>4&0xf], digit[r&0xf])
}

// escape is the function escape, except that it keeps styles if w does.
func (w *Writer) escape(b, text []byte) []byte {
	for w.styles {
		at := bytes.IndexByte(text, esc)
		if at < 0 {
			break
		}
		n := style(text[at:])
		b = append(escape(b, text[:at]), text[at:at+n]...)
		text = text[at+n:]
		if n == 0 {
			b, text = escape(b, text[:1]), text[1:]
		}
	}
	return escape(b, text)
}

const esc = 0x1b

// style returns the length of the sequence at the beginning of text that sets a style; 0
// if there is none.
func style(text []byte) int {
	body, found := bytes.CutPrefix(text, []byte{esc, '['})
	end := bytes.IndexByte(body, 'm')
	if !found || end < 0 {
		return 0
	}
	for parameter := range bytes.SplitSeq(body[:end], []byte{';'}) {
		switch string(parameter) {
		case "0", "1", "2", "31", "32", "33":
		default:
			return 0
		}
	}
	return 2 + end + 1
}

// Underlying returns the writer that w writes to.
func (w *Writer) Underlying() io.Writer { return w.to }
