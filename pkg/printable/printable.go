// SPDX-License-Identifier: Apache-2.0

// Package printable makes untrusted text safe to print: names of files, networks, plugins,
// devices and pods, errors of other programs, and arguments. Anyone who can write a file
// into a conf dir or name a pod controls such text.
//
// It replaces characters that are not printable with ASCII escapes: control characters (C0,
// DEL and C1, which terminals interpret), bidirectional controls and zero-width characters
// (which hide or reorder their neighbors, CVE-2021-42574), spaces other than U+0020, code
// points that Unicode has not assigned, and bytes that are not UTF-8. It keeps the letters,
// digits, marks and symbols of every script.
//
// String is for a name inside a line, Error for an error, Word for an argument of a command
// that the reader may run, and JSON for a document. Writer is a safety net below all output,
// for text that was printed without any of them.
package printable

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// String returns s with everything that is not printable escaped, so that the result fits
// into one line: a newline becomes \n, a tab \t, another code point \u202e (or \U000e0001
// above U+FFFF), and a byte that is not UTF-8 \xff. Backslashes are not escaped, so the
// result does not always determine s.
func String(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x`)
			hex(&b, uint32(s[i]), 2)
		case isPrintable(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r > 0xffff:
			b.WriteString(`\U`)
			hex(&b, uint32(r), 8)
		default:
			b.WriteString(`\u`)
			hex(&b, uint32(r), 4)
		}
		i += size
	}
	return b.String()
}

// Error returns the text of an error as one printable line, and "" for nil. The
// newlines that errors.Join puts between errors become "; ". A newline in a name looks the
// same, and must not begin a new line.
func Error(err error) string {
	if err == nil {
		return ""
	}
	return String(strings.ReplaceAll(strings.TrimRight(err.Error(), "\n"), "\n", "; "))
}

// Word returns s as one word of a POSIX shell, for commands that the reader may run:
// unchanged if no character is special, else in single quotes, or in the form $'…' (bash,
// zsh, ksh, busybox; POSIX 2024) if a character is not printable.
func Word(s string) string {
	switch {
	case s != "" && strings.Trim(s, plainChars) == "":
		return s
	case String(s) == s:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case isPrintable(r) && (r != utf8.RuneError || size > 1):
			b.WriteString(s[i : i+size])
		default: // three octal digits are unambiguous before any character
			for _, c := range []byte(s[i : i+size]) {
				b.WriteByte('\\')
				b.WriteByte('0' + c>>6)
				b.WriteByte('0' + c>>3&7)
				b.WriteByte('0' + c&7)
			}
		}
		i += size
	}
	b.WriteString("'")
	return b.String()
}

// plainChars are the characters without a special meaning in a shell word.
const plainChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+="

// isPlain reports whether s is printable ASCII, as nearly all text is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isPrintable reports whether a terminal shows r as a visible character in its place.
// strconv.IsPrint excludes the Unicode categories C and Z except for U+0020. The other two
// tables contain letters and marks without a width: fillers and variation selectors.
func isPrintable(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r <= '~'
	}
	return strconv.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// hex writes the lowest hexadecimal digits of v.
func hex(b *strings.Builder, v uint32, digits int) {
	const digit = "0123456789abcdef"
	for digits--; digits >= 0; digits-- {
		b.WriteByte(digit[v>>(4*digits)&0xf])
	}
}
