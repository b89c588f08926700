// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"strings"
	"testing"
)

func TestConclude(t *testing.T) {
	killed := errors.New("killed")
	for name, c := range map[string]struct {
		report, console string
		err             error // of qemu
		want            Result
		wantErr         error
		says            string
	}{
		"ended":                   {report: `{"kernel":"6.1"}{"exit":3}`, want: Result{Kernel: "6.1", Exit: 3}},
		"ended, and then a panic": {report: `{"kernel":"6.1"}{"exit":0}`, console: "Kernel panic", want: Result{Kernel: "6.1"}},
		"not started":             {report: `{"kernel":"6.1"}{"failed":"start command: x"}`, want: Result{Kernel: "6.1"}, says: "start command: x"},
		"panic":                   {report: `{"kernel":"6.1"}`, console: "a\r\nKernel panic - not syncing\r\n", want: Result{Kernel: "6.1"}, wantErr: ErrPanic, says: "a\nKernel panic - not syncing"},
		"cut short":               {report: `{"kernel":"6.1"}{"ex`, want: Result{Kernel: "6.1"}, wantErr: ErrSilent, says: "(nothing)"},
		"never booted":            {wantErr: ErrSilent},
		"killed":                  {report: `{"kernel":"6.1"}`, err: killed, want: Result{Kernel: "6.1"}, wantErr: killed},
		"killed after the end":    {report: `{"exit":0}`, err: killed, wantErr: killed},
	} {
		t.Run(name, func(t *testing.T) {
			console := &tail{}
			if _, err := console.Write([]byte(c.console)); err != nil {
				t.Fatal(err)
			}
			got, err := conclude(strings.NewReader(c.report), console, c.err)
			if got != c.want {
				t.Errorf("result = %+v, want %+v", got, c.want)
			}
			if (err != nil) != (c.wantErr != nil || c.says != "") || c.wantErr != nil && !errors.Is(err, c.wantErr) {
				t.Errorf("err = %v, want %v", err, c.wantErr)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("err = %v, want %q in it", err, c.says)
			}
		})
	}
}

func TestTailIsBounded(t *testing.T) {
	var console tail
	for range 100 {
		_, _ = console.Write([]byte(strings.Repeat("x", 1000)))
	}
	_, _ = console.Write([]byte("the end"))
	if len(console.last) != tailSize || !strings.HasSuffix(console.String(), "xthe end") {
		t.Errorf("it keeps %d bytes", len(console.last))
	}
}

func TestModulesThatAreMissing(t *testing.T) {
	l := library{kernel: Kernel{Release: "6.1"}, builtIn: map[string]bool{"tun": true}}
	if ordered, err := l.order([]string{"tun"}); err != nil || len(ordered) != 0 {
		t.Errorf("built in: %v, %v", ordered, err)
	}
	_, err := l.order([]string{"ip-x", "tun"})
	if err == nil || !strings.Contains(err.Error(), "find module ip_x: kernel 6.1 has none of that name") {
		t.Errorf("err = %v", err)
	}
}
