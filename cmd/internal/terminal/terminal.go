// SPDX-License-Identifier: Apache-2.0

// Package terminal says how text is shown: in colour and wrapped on a terminal, and as
// it is everywhere else.
package terminal

import (
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
	"golang.org/x/term"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A Style is how a word is shown where there are colours.
type Style int

// The styles. The zero Style changes nothing.
const (
	Plain Style = iota
	Heading
	Bad
	Doubtful
	Good
	Faint
)

// A Terminal is where text is shown. The zero Terminal shows it as it is.
type Terminal struct {
	Width  int // in columns; 0: lines have any length
	colour bool
}

// Of returns what is known of the terminal that w writes to. What is no terminal is the
// zero Terminal. NO_COLOR (no-color.org), CLICOLOR and TERM=dumb are honoured.
func Of(w io.Writer) Terminal {
	if safe, ok := w.(*printable.Writer); ok {
		w = safe.Underlying()
	}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return Terminal{}
	}
	t := Terminal{colour: termenv.NewOutput(file).EnvColorProfile() != termenv.Ascii}
	t.Width = usualWidth // of a terminal that does not know, such as a serial console
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		t.Width = max(width, minWidth)
	}
	return t
}

const usualWidth = 80

// Colours reports whether Paint changes anything.
func (t Terminal) Colours() bool { return t.colour }

// minWidth is the width below which wrapping would leave no room beside the indentation.
const minWidth = 40

// Paint returns text in a style. The text must be printable.
func (t Terminal) Paint(style Style, text string) string {
	if !t.colour {
		return text
	}
	styled := termenv.ANSI.String(text)
	switch style {
	case Heading:
		styled = styled.Bold()
	case Bad:
		styled = styled.Foreground(termenv.ANSIRed).Bold()
	case Doubtful:
		styled = styled.Foreground(termenv.ANSIYellow)
	case Good:
		styled = styled.Foreground(termenv.ANSIGreen)
	case Faint:
		styled = styled.Faint()
	case Plain:
		return text
	}
	return styled.String()
}

// Wrap returns text with a prefix in front of its first line, and as many blanks in front
// of the others that the width makes of it. Words that are longer than a line stay whole:
// paths and addresses are copied. The text must be printable.
func (t Terminal) Wrap(prefix, text string) string {
	indent := ansi.StringWidth(prefix)
	if room := t.Width - indent; t.Width > 0 && room >= minWidth/2 {
		text = ansi.Wordwrap(text, room, " ")
	}
	return prefix + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", indent))
}
