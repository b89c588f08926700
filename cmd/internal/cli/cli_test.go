// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
)

// program returns a program with one command, x, that returns err.
func program(args cobra.PositionalArgs, err error) *cobra.Command {
	root := &cobra.Command{Use: "guardctl"}
	x := &cobra.Command{Use: "x", Args: args, RunE: func(*cobra.Command, []string) error { return err }}
	cli.OutputFlag(x, "text", "json")
	root.AddCommand(x)
	return root
}

func TestRun(t *testing.T) {
	work := errors.New("read x: no such file")
	for name, c := range map[string]struct {
		args   []string
		accept cobra.PositionalArgs
		err    error
		code   int
		stderr string
	}{
		"ok":              {[]string{"x"}, cli.NoArgs, nil, cli.ExitOK, ""},
		"exit 0":          {[]string{"x"}, cli.NoArgs, cli.Exit(cli.ExitOK), cli.ExitOK, ""},
		"findings":        {[]string{"x"}, cli.NoArgs, cli.Exit(cli.ExitFindings), cli.ExitFindings, ""},
		"fails":           {[]string{"x"}, cli.NoArgs, work, cli.ExitUnknown, "guardctl: error: read x: no such file\n"},
		"hint":            {[]string{"x"}, cli.NoArgs, cli.Unknown(work, "make x"), cli.ExitUnknown, "guardctl: error: read x: no such file\nguardctl: hint: make x\n"},
		"usage":           {[]string{"x"}, cli.NoArgs, cli.UsageError(work), cli.ExitUsage, "guardctl: error: read x: no such file\nguardctl: hint: run guardctl x --help for its arguments and flags\n"},
		"unknown command": {[]string{"y"}, cli.NoArgs, nil, cli.ExitUsage, "guardctl: error: unknown command \"y\" for \"guardctl\"\nguardctl: hint: run guardctl --help for its arguments and flags\n"},
		"unknown format":  {[]string{"x", "-o", "yaml"}, cli.NoArgs, nil, cli.ExitUsage, "guardctl: error: invalid argument \"yaml\" for \"-o, --output\" flag: unknown format; valid are text, json\nguardctl: hint: run guardctl x --help for its arguments and flags\n"},
		"no argument":     {[]string{"x", "a", "b"}, cli.NoArgs, nil, cli.ExitUsage, "guardctl: error: x takes no arguments: leave out \"a b\"\nguardctl: hint: run guardctl x --help for its arguments and flags\n"},
		"one argument":    {[]string{"x"}, cli.OneArg("FILE", "guardctl y"), nil, cli.ExitUsage, "guardctl: error: x needs a FILE: guardctl x FILE (guardctl y lists them)\nguardctl: hint: run guardctl x --help for its arguments and flags\n"},
		"some arguments":  {[]string{"x"}, cli.SomeArgs("ID", "guardctl y"), nil, cli.ExitUsage, "guardctl: error: x needs an ID: guardctl x ID (guardctl y lists them)\nguardctl: hint: run guardctl x --help for its arguments and flags\n"},
		"too many":        {[]string{"x", "a", "b"}, cli.OneArg("FILE", "guardctl y"), nil, cli.ExitUsage, "guardctl: error: x takes one FILE at a time: leave out \"b\"\nguardctl: hint: run guardctl x --help for its arguments and flags\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := cli.Run(program(c.accept, c.err), &stdout, &stderr, c.args)
			if code != c.code || stdout.String() != "" || stderr.String() != c.stderr {
				t.Errorf("exit code %d, want %d; stdout %q, stderr\n%swant\n%s", code, c.code, &stdout, &stderr, c.stderr)
			}
		})
	}
}

func TestTable(t *testing.T) {
	table := cli.NewTable("A", "B")
	table.Row("x\ny", "", "")
	table.Row("", "longer", "more")
	const want = "A     B\nx\\ny  -       \n-     longer  more\n"
	if got := table.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestWrap(t *testing.T) {
	got := string(cli.Wrap(strings.Repeat("word ", 20)))
	for line := range strings.Lines(got) {
		if len(line) > 79 || !strings.HasPrefix(line, "  word") { // 78 and the newline
			t.Errorf("%q", line)
		}
	}
}

// What was given is handed on as a shell takes it, and the rest is not.
func TestSiteFlags(t *testing.T) {
	cmd := &cobra.Command{}
	f := cli.NewSiteFlags(cmd, cmd.Flags())
	if f.Changed() || f.Given() != "" {
		t.Error("nothing was given")
	}
	if err := cmd.ParseFlags([]string{"--runtime", "crio", "--bin-dir", "a:b c", "--record-dir", "r", "--root", "/host", "--default-network", ""}); err != nil {
		t.Fatal(err)
	}
	if got, want := f.Given("record-dir"), " --bin-dir 'a:b c' --default-network '' --runtime crio"; got != want {
		t.Errorf("given %q, want %q", got, want)
	}
	o, err := f.Overrides()
	if err != nil || len(o.BinDirs) != 2 || o.DefaultNetwork == nil || o.MaxConfNum != nil || !f.Changed() || f.Changed("conf-dir") {
		t.Errorf("%+v, error %v", o, err)
	}
}

func TestFileArg(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ confDir, arg, dir, name string }{
		{"", "a.conf", "", "a.conf"},
		{"/x", "a.conf", "/x", "a.conf"},
		{"", "/x/a.conf", "/x", "a.conf"},
		{"/x/", "/x/a.conf", "/x", "a.conf"},
		{"", "x/a.conf", filepath.Join(wd, "x"), "a.conf"},
		{"x", "x/a.conf", filepath.Join(wd, "x"), "a.conf"},
	} {
		f := &cli.SiteFlags{ConfDir: c.confDir}
		if name, err := f.FileArg(c.arg); err != nil || name != c.name || f.ConfDir != c.dir {
			t.Errorf("%s in %q: %q in %q, error %v", c.arg, c.confDir, name, f.ConfDir, err)
		}
	}
	f := &cli.SiteFlags{ConfDir: "/y"}
	if _, err := f.FileArg("/x/a.conf"); err == nil || !strings.Contains(err.Error(), "/x/a.conf is not in --conf-dir /y") {
		t.Errorf("another directory: %v", err)
	}
}
