// SPDX-License-Identifier: Apache-2.0

package pkg_test

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

func habitRules() []rule {
	return []rule{
		{
			name:   "only main packages print",
			reason: "a plugin's standard output is its CNI result: one JSON document, and nothing beside it",
			violations: func(s source) []violation {
				if s.isTest() || s.file.Name.Name == "main" {
					return nil
				}
				logs := importsPackage(s, "log") // else log is a variable
				return find(s, func(n ast.Node) string {
					if name := selector(n); name == "os.Stdout" || strings.HasPrefix(name, "fmt.Print") || logs && strings.HasPrefix(name, "log.") {
						return "uses " + name
					}
					if call, ok := n.(*ast.CallExpr); ok {
						if id, ok := call.Fun.(*ast.Ident); ok && (id.Name == "println" || id.Name == "print") {
							return "calls " + id.Name
						}
					}
					return ""
				})
			},
			planted: map[string]string{
				"pkg/x/a.go":            inFunc(`fmt.Println("x")`),
				"pkg/x/b.go":            inFunc(`fmt.Fprintln(os.Stdout, "x")`),
				"pkg/x/c.go":            "package x\nimport \"log\"\nfunc _() { log.Printf(\"x\") }",
				"pkg/x/d.go":            inFunc(`println("x")`),
				"cmd/x/internal/y/a.go": inFunc(`fmt.Printf("x")`),
			},
			sound: map[string]string{
				"pkg/x/a.go":      inFunc(`fmt.Fprintln(os.Stderr, "x")`),
				"pkg/x/b.go":      inFunc(`log.Warn("x")`), // a *slog.Logger
				"pkg/x/c.go":      "package x\nfunc (r report) print() { r.findings.print() }",
				"pkg/x/a_test.go": inFunc(`fmt.Println("x")`),
				"cmd/x/main.go":   "package main\nfunc _() { fmt.Println() }",
			},
		},
		{
			name:   "no func init",
			reason: "what a program does it does where one can read it; and each init is paid for at every ADD and DEL of every pod",
			violations: func(s source) []violation {
				return find(s, func(n ast.Node) string {
					if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
						return "has a func init"
					}
					return ""
				})
			},
			planted: map[string]string{"pkg/x/a.go": "package x\nfunc init() {}"},
			sound:   map[string]string{"pkg/x/a.go": "package x\ntype t int\nfunc (t) init() {}"},
		},
		{
			name:   "no package without a subject",
			reason: "a package is found by what it is about; utils and its like are about nothing, so that they gather everything",
			violations: func(s source) []violation {
				name := strings.TrimSuffix(s.file.Name.Name, "_test")
				for _, n := range []string{name, path.Base(s.dir())} {
					if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "types", "misc", "shared", "base", "lib"}, n) {
						return []violation{{s.file.Name, "is in package " + n}}
					}
				}
				return nil
			},
			planted: map[string]string{
				"pkg/utils/a.go":     "package utils",
				"pkg/x/a.go":         "package common",
				"cmd/x/helpers/a.go": "package x",
				"pkg/y/a_test.go":    "package types_test",
			},
			sound: map[string]string{"pkg/tunnel/a.go": "package tunnel"},
		},
		{
			name:   "no test sleeps",
			reason: "a test that waits for time is slow on one machine and red on another; wait for the event",
			violations: func(s source) []violation {
				if !s.isTest() || importsPackage(s, "testing/synctest") {
					return nil
				}
				return find(s, func(n ast.Node) string {
					if name := selector(n); name == "time.Sleep" || name == "time.After" {
						return "uses " + name
					}
					return ""
				})
			},
			planted: map[string]string{"pkg/x/a_test.go": inFunc("time.Sleep(time.Second)")},
			sound: map[string]string{
				"pkg/x/a.go":      inFunc("time.Sleep(time.Second)"),
				"pkg/x/b_test.go": "package x\nimport (\"testing/synctest\"; \"time\")\nfunc f() { time.Sleep(time.Second); synctest.Wait() }", // the time of a bubble passes at once
			},
		},
		{
			name:   "checks ask the target for the time",
			reason: "a bundle is judged at the time of its recording; a check that reads the clock has another verdict a day later",
			violations: func(s source) []violation {
				if s.isTest() || s.dir() != "pkg/checks" {
					return nil
				}
				var found []violation
				for _, d := range s.file.Decls {
					f, ok := d.(*ast.FuncDecl)
					// now is the clock; the others compare nothing with a time that was recorded.
					if ok && slices.Contains([]string{"now", "dueForPorts", "probeOuter"}, f.Name.Name) {
						continue
					}
					ast.Inspect(d, func(n ast.Node) bool {
						if name := selector(n); name == "time.Now" || name == "time.Since" || name == "time.Until" {
							found = append(found, violation{n, "uses " + name})
						}
						return true
					})
				}
				return found
			},
			planted: map[string]string{"pkg/checks/a.go": inFunc("_ = time.Since(then)")},
			sound: map[string]string{
				"pkg/checks/a.go":      inFunc("_ = t.now().Sub(then)"),
				"pkg/checks/b.go":      "package x\nfunc (t *Target) now() time.Time { return time.Now() }",
				"pkg/checks/a_test.go": inFunc("_ = time.Now()"),
				"pkg/x/a.go":           inFunc("_ = time.Now()"),
			},
		},
		{
			name:   "every file names its licence",
			reason: "a file that is copied elsewhere takes its licence along",
			violations: func(s source) []violation {
				if strings.HasPrefix(s.text, "// SPDX-License-Identifier: Apache-2.0\n\n") {
					return nil
				}
				return []violation{{s.file, "does not begin with the SPDX line and an empty one"}}
			},
			planted: map[string]string{
				"pkg/x/a.go": "package x",
				"pkg/x/b.go": "// SPDX-License-Identifier: Apache-2.0\npackage x",
			},
			sound: map[string]string{"pkg/x/a.go": "// SPDX-License-Identifier: Apache-2.0\n\npackage x"},
		},
	}
}

// importsPackage reports whether a file imports the package of that path.
func importsPackage(s source, path string) bool {
	return slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(path) })
}
