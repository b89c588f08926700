// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"io"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns a document of JSON in which all that is not printable stands as \u…
// escapes, in surrogate pairs above U+FFFF (RFC 8259, section 7). A decoder gets the
// same values as before, but that bytes in a string that are no UTF-8 become U+FFFD,
// which is what decoders make of them. encoding/json leaves DEL, C1 and everything
// beyond ASCII as it is. The newlines and tabs between values stay.
//
// JSON returns document itself where there is nothing to escape.
func JSON(document []byte) []byte {
	if clean(document) {
		return document
	}
	return escape(make([]byte, 0, len(document)+64), document)
}

// A Writer passes on what is written to it, with everything escaped that is not
// printable but newlines and tabs. The escapes are those of JSON, so that a document
// of JSON stays the same document.
//
// A character may be split between two writes: its beginning waits for the second. Flush
// passes it on at the end of the output. A Writer may be used by several goroutines.
type Writer struct {
	to   io.Writer
	mu   sync.Mutex
	rest []byte // the beginning of a character
}

// NewWriter returns a Writer to another.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write passes p on, in one write.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if len(w.rest) > 0 {
		text = append(w.rest, p...)
		w.rest = nil
	}
	if clean(text) {
		return w.pass(text, len(p))
	}
	whole := len(text) - begun(text)
	w.rest = append(w.rest, text[whole:]...)
	return w.pass(escape(make([]byte, 0, len(text)+64), text[:whole]), len(p))
}

// pass writes text, which stands for n bytes of the caller's.
func (w *Writer) pass(text []byte, n int) (int, error) {
	if len(text) == 0 {
		return n, nil
	}
	if _, err := w.to.Write(text); err != nil {
		return 0, err
	}
	return n, nil
}

// Flush passes on what waits for the rest of a character that never came.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.rest
	w.rest = nil
	_, err := w.pass(escape(nil, rest), 0)
	return err
}

// begun returns how many bytes at the end of text are the beginning of a character.
func begun(text []byte) int {
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

// clean reports whether text has nothing but printable ASCII, newlines and tabs.
func clean(text []byte) bool {
	for _, c := range text {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// escape appends text to b.
func escape(b, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b = unit(b, utf8.RuneError)
		case is(r) || r == '\n' || r == '\t':
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
