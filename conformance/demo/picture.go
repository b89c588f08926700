// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Sizes of a character and a line of the picture in pixels.
const (
	charWidth  = 8.0
	lineHeight = 18
	margin     = 16
)

// runPicture draws a terminal with a command and its output, which is standard input.
func runPicture(args []string) error {
	if len(args) != 1 {
		return errors.New("picture: want the command")
	}
	lines := []string{"$ " + args[0], ""}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		lines = append(lines, in.Text())
	}
	return drawTerminal(os.Stdout, lines)
}

// drawTerminal writes an SVG with the lines in a monospaced font. Words in capitals, which
// stand for damage, are red.
func drawTerminal(w io.Writer, lines []string) error {
	width := 0
	for _, line := range lines {
		width = max(width, utf8.RuneCountInString(line))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13.3">`+"\n",
		2*margin+charWidth*float64(width), 2*margin+lineHeight*len(lines))
	fmt.Fprintln(&b, `<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`)
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		fill := "#e6edf3"
		if strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "INCIDENT") {
			fill = "#8b949e"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s" xml:space="preserve" textLength="%.0f">%s</text>`+"\n",
			margin, margin+lineHeight*(i+1)-5, fill, charWidth*float64(utf8.RuneCountInString(line)), highlight(line))
	}
	fmt.Fprintln(&b, "</svg>")
	_, err := io.WriteString(w, b.String())
	return err
}

// highlight escapes a line for XML and colors words in capitals.
func highlight(line string) string {
	var b strings.Builder
	for i, word := range strings.Split(line, " ") {
		if i > 0 {
			b.WriteByte(' ')
		}
		if len(word) > 3 && strings.ToUpper(word) == word && strings.ToLower(word) != word && !strings.HasPrefix(line, "INCIDENT") {
			fmt.Fprintf(&b, `<tspan fill="#ff7b72">%s</tspan>`, html.EscapeString(word))
		} else {
			b.WriteString(html.EscapeString(word))
		}
	}
	return b.String()
}
