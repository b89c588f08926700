// SPDX-License-Identifier: Apache-2.0

package printable_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

type word string

type named struct{ name string }

func (n named) String() string { return n.name }

func TestFprintf(t *testing.T) {
	esc, line := "a\x1b[31m", "b\nFAKE\tx"
	var b strings.Builder
	_, err := printable.Fprintf(&b, "%s\t%-8s|%q %v %s %s %*d %6.2f %s %v\n", esc, word(line), esc, []string{line}, named{line},
		errors.Join(errors.New(esc), errors.New("c")), 3, 7, 1.5, time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `a\u001b[31m` + "\t" + `b\nFAKE\tx|"a\x1b[31m" [b\nFAKE\tx] b\nFAKE\tx a\u001b[31m; c   7   1.50 1s <nil>` + "\n"
	if b.String() != want {
		t.Errorf("Fprintf wrote\n%q, want\n%q", b.String(), want)
	}
	b.Reset()
	_, _ = printable.Fprintln(&b, "hint:", line, 3, printable.Text("one\ntwo\x1b"))
	if want := `hint: b\nFAKE\tx 3 one` + "\n" + `two\u001b` + "\n"; b.String() != want {
		t.Errorf("Fprintln wrote %q, want %q", b.String(), want)
	}
	if got := printable.Sprintf("%s", word(line)); got != `b\nFAKE\tx` {
		t.Errorf("Sprintf returns %q", got)
	}
}
