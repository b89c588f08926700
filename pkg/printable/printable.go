// SPDX-License-Identifier: Apache-2.0

// Package printable makes text from elsewhere safe to print: names of files,
// networks, plugins, devices and pods, errors of other programs, and arguments.
// Anybody who may write a file into a conf dir, or name a pod, chooses such text.
//
// What is not printable is replaced by an escape in ASCII: control characters
// (C0, DEL and C1, which terminals obey), bidirectional controls and characters
// without a width (which hide or reorder what stands beside them, CVE-2021-42574),
// spaces that are not U+0020, code points that Unicode has not assigned, and bytes
// that are no UTF-8. Letters, digits, marks and symbols of every script stay.
//
// String is for a name inside a line, Error for an error, Word for an argument of a
// command that somebody is to run, JSON for a document, and Writer is a net below
// all output, for what was printed without any of them.
package printable

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// String returns s with everything that is not printable escaped, so that the result
// is a part of one line: a newline is \n, a tab \t, another code point \u202e
// (or \U000e0001 above U+FFFF), a byte that is no UTF-8 \xff. A backslash stays as it
// is, so the result cannot always be turned back into s.
func String(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x`)
			hex(&b, uint32(s[i]), 2)
		case is(r):
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
// newlines that errors.Join puts between errors become "; ": a newline in a name
// is unknown from them, and must not begin a line of its own.
func Error(err error) string {
	if err == nil {
		return ""
	}
	return String(strings.ReplaceAll(strings.TrimRight(err.Error(), "\n"), "\n", "; "))
}

// Word returns s as one word of a POSIX shell, so that a command that is shown can be
// run: as it is where no character of it is special, else in single quotes, and in
// the form $'…' (bash, zsh, ksh, busybox; POSIX 2024) where something is not printable.
func Word(s string) string {
	switch {
	case s != "" && strings.Trim(s, wordly) == "":
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
		case is(r) && (r != utf8.RuneError || size > 1):
			b.WriteString(s[i : i+size])
		default: // three octal digits never run into the character behind them
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

// wordly are the characters that no shell gives a meaning inside a word.
const wordly = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+="

// plain reports whether s has nothing but printable ASCII, as nearly all text does.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// is reports whether a terminal shows r, as something that is seen, where it stands.
// strconv.IsPrint leaves out the categories C and Z of Unicode but for U+0020; the
// fillers and variation selectors that the other tables name are letters and marks
// that have no width.
func is(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r <= '~'
	}
	return strconv.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// hex writes the low digits of v.
func hex(b *strings.Builder, v uint32, digits int) {
	const digit = "0123456789abcdef"
	for digits--; digits >= 0; digits-- {
		b.WriteByte(digit[v>>(4*digits)&0xf])
	}
}
