// SPDX-License-Identifier: Apache-2.0

package printable

import (
	"fmt"
	"io"
)

// Fprintf is like fmt.Fprintf, but applies String to each formatted argument, and Error to
// errors. Only the format and arguments of type Text can contain newlines and tabs.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	return fmt.Fprintf(w, format, safe(args)...)
}

// Fprintln is like fmt.Fprintln, with the same escapes.
func Fprintln(w io.Writer, args ...any) (int, error) {
	return fmt.Fprintln(w, safe(args)...)
}

// Sprintf is like fmt.Sprintf, with the same escapes.
func Sprintf(format string, args ...any) string {
	return fmt.Sprintf(format, safe(args)...)
}

// Text is text of several lines that the program itself composed. Fprintf keeps its
// newlines and tabs, and escapes all other characters that are not printable.
type Text string

// Format implements fmt.Formatter. It ignores the verb.
func (t Text) Format(s fmt.State, _ rune) {
	_, _ = s.Write(JSON([]byte(t))) // fmt.State never fails
}

// safe wraps the arguments that may contain text. It keeps numbers, because one of them may
// be a width.
func safe(args []any) []any {
	wrapped := make([]any, len(args))
	for i, a := range args {
		switch a.(type) {
		case Text, bool, int, int64, uint64, float64:
			wrapped[i] = a
		default:
			wrapped[i] = argument{a}
		}
	}
	return wrapped
}

// An argument formats its value and escapes the result.
type argument struct{ value any }

// Format implements fmt.Formatter.
func (a argument) Format(s fmt.State, verb rune) {
	value := a.value
	if err, ok := value.(error); ok && err != nil {
		value = Error(err)
	}
	_, _ = io.WriteString(s, String(fmt.Sprintf(fmt.FormatString(s, verb), value)))
}
