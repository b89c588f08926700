// SPDX-License-Identifier: Apache-2.0

package printable_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

func TestString(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"10-calico.conflist":         "10-calico.conflist",
		`a "b" \ 'c'`:                `a "b" \ 'c'`,
		"grün, сеть, 网络, 🚀, e\u0301": "grün, сеть, 网络, 🚀, e\u0301",
		"\x1b]0;owned\x07":           `\u001b]0;owned\u0007`,
		"a\nFAKE\tall\rwell":         `a\nFAKE\tall\u000dwell`,
		"del\x7f":                    `del\u007f`,
		"c1\u009b31m":                `c1\u009b31m`,
		"no UTF-8 \x9b31m\xff":       `no UTF-8 \x9b31m\xff`,
		"\u202egnp.conflist":         `\u202egnp.conflist`,
		"\u2066a\u2069\u061c":        `\u2066a\u2069\u061c`,
		"zero\u200bwidth\ufeff":      `zero\u200bwidth\ufeff`,
		"soft\u00adhyphen":           `soft\u00adhyphen`,
		"no\u00a0break":              `no\u00a0break`,
		"line\u2028\u2029":           `line\u2028\u2029`,
		"filler\u3164\ufe0f":         `filler\u3164\ufe0f`,
		"tag\U000e0041":              `tag\U000e0041`,
		"cut \xe2\x80":               `cut \xe2\x80`,
		"replaced \ufffd":            "replaced \ufffd",
	} {
		if got := printable.String(in); got != want {
			t.Errorf("String(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestError(t *testing.T) {
	for want, err := range map[string]error{
		"":                  nil,
		"a; b":              errors.Join(errors.New("a"), errors.New("b")),
		`read x\u001b: cut`: fmt.Errorf("read %s: %w", "x\x1b", errors.New("cut\n")),
	} {
		if got := printable.Error(err); got != want {
			t.Errorf("Error(%v) = %s, want %s", err, got, want)
		}
	}
}

// A shell parses the result of Word to the original text, and all of it is visible.
func TestWord(t *testing.T) {
	for in, want := range map[string]string{
		"/etc/cni/net.d/10-x.conflist": "/etc/cni/net.d/10-x.conflist",
		"":                             "''",
		"a b":                          "'a b'",
		"$(reboot)":                    "'$(reboot)'",
		"it's":                         `'it'\''s'`,
		"~":                            "'~'",
		"netz-grün":                    "'netz-grün'",
		"a\nb'c\\":                     `$'a\012b\'c\\'`,
		"\x1b1\x80\u202e7":             `$'\0331\200\342\200\2567'`,
	} {
		got := printable.Word(in)
		if got != want {
			t.Errorf("Word(%q) = %s, want %s", in, got, want)
		}
		if bash, err := exec.LookPath("bash"); err == nil {
			out, err := exec.Command(bash, "-c", "printf %s "+got).Output()
			if err != nil || string(out) != in {
				t.Errorf("bash makes %q of Word(%q), error %v", out, in, err)
			}
		}
	}
}

// hostile contains one character of each kind.
const hostile = "\x01\x1b\x7f\u0080\u009b\u00ad\u061c\u200b\u200d\u200e\u2028\u202e\u2060\u2066\u3164\ufe0f\ufeff\U000e0041\U0010ffff"

func TestJSON(t *testing.T) {
	type document struct{ Name, Why string }
	in := document{"x" + hostile + "\n\t\"\\", "grün 🚀"}
	plain, err := json.MarshalIndent(in, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	safe := printable.JSON(plain)
	var out document
	if err := json.Unmarshal(safe, &out); err != nil || out != in {
		t.Errorf("%s decodes to %+v, error %v", safe, out, err)
	}
	if bad := unprintable(string(safe), "\n\t"); bad != "" {
		t.Errorf("%q is still in %q", bad, safe)
	}
	if !strings.Contains(string(safe), "grün 🚀") {
		t.Errorf("what is printable was escaped: %s", safe)
	}
	same := []byte("{}\n")
	if got := printable.JSON(same); &got[0] != &same[0] {
		t.Error("a document with nothing to escape is copied")
	}
}

// unprintable returns the first thing in s that a terminal might obey.
func unprintable(s, but string) string {
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r == 0x3164, r == 0xfe0f:
			return s[i : i+size]
		case strings.ContainsRune(but, r):
		case unicode.Is(unicode.C, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r), r > unicode.MaxLatin1 && !unicode.IsPrint(r):
			return s[i : i+size]
		}
	}
	return ""
}

// The result does not depend on how the output is divided into writes.
func TestWriterAtEveryCut(t *testing.T) {
	text := "tab\t newline\n " + hostile + " grün 🚀 \xff\xe2\x80 end \xf0\x9f"
	want := string(printable.JSON([]byte(text)))
	for cut := range len(text) + 1 {
		var b bytes.Buffer
		w := printable.NewWriter(&b)
		for _, part := range []string{text[:cut], "", text[cut:]} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatalf("Write of %d bytes = %d, %v", len(part), n, err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("cut at %d: %q, want %q", cut, b.String(), want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriterReturnsErrors(t *testing.T) {
	if n, err := printable.NewWriter(full{}).Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("Write = %d, %v", n, err)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add(hostile)
	f.Add("10-x.conflist")
	f.Add("\xff\xc2")
	f.Fuzz(func(t *testing.T, s string) {
		safe := printable.String(s)
		if bad := unprintable(safe, ""); bad != "" {
			t.Errorf("String(%q) has %q", s, bad)
		}
		if again := printable.String(safe); again != safe {
			t.Errorf("String is not stable: %q, then %q", safe, again)
		}
		if word := printable.Word(s); unprintable(word, "") != "" {
			t.Errorf("Word(%q) = %q", s, word)
		}
		doc, err := json.Marshal(s)
		if err != nil {
			t.Skip()
		}
		var before, after any
		if json.Unmarshal(doc, &before) != nil || json.Unmarshal(printable.JSON(doc), &after) != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%q decodes to %q and then to %q", doc, before, after)
		}
	})
}

// A Writer that keeps styles keeps those of ours, and nothing else that a terminal obeys.
func TestKeepStyles(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[31;1mfailed\x1b[0m x": "\x1b[31;1mfailed\x1b[0m x",
		"\x1b[2J\x1b[8mx\x1b[m":     `\u001b[2J\u001b[8mx\u001b[m`,
		"\x1b]0;owned\x07\x1b":      `\u001b]0;owned\u0007\u001b`,
		"\x1b[1;38;5;1mx":           `\u001b[1;38;5;1mx`,
		"grün \u202e\x1b[1":         `grün \u202e\u001b[1`,
	} {
		var b bytes.Buffer
		w := printable.NewWriter(&b)
		w.KeepStyles()
		if _, err := w.Write([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil || b.String() != want {
			t.Errorf("%q becomes %q, want %q; error %v", in, b.String(), want, err)
		}
	}
}
