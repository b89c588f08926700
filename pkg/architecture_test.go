// SPDX-License-Identifier: Apache-2.0

// Package pkg_test holds the rules of the architecture as tests: what a reader
// of one package may rely on without having read the others.
package pkg_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// module is the path of ours; the directories of this test's business are its root's
// but conformance, which is a module of its own.
const module = "github.com/cni-guard/cni-guard"

// A source is a parsed Go file.
type source struct {
	path  string // from the root of the repository: "pkg/guard/run.go"
	files *token.FileSet
	file  *ast.File
	text  string
}

func (s source) dir() string        { return filepath.ToSlash(filepath.Dir(s.path)) }
func (s source) isTest() bool       { return strings.HasSuffix(s.path, "_test.go") }
func (s source) in(dir string) bool { return s.dir() == dir || strings.HasPrefix(s.path, dir+"/") }

// A rule says what a file must not do, and why.
type rule struct {
	name   string
	reason string
	// violations names what breaks the rule, each with the node where it stands.
	violations func(source) []violation
	// planted are files that break the rule, by path; sound are some that do not,
	// though they come near.
	planted, sound map[string]string
}

type violation struct {
	node ast.Node
	what string
}

func rules() []rule {
	var all []rule
	for _, some := range [][]rule{importRules(), errorRules(), habitRules()} {
		all = append(all, some...)
	}
	return all
}

func TestArchitecture(t *testing.T) {
	sources := load(t, "..", "pkg", "plugins", "cmd")
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, s := range sources {
				for _, v := range r.violations(s) {
					t.Errorf("%s: %s\n\twhy: %s", s.files.Position(v.node.Pos()), v.what, r.reason)
				}
			}
		})
	}
}

// A rule that nothing can break is none.
func TestRulesCanBreak(t *testing.T) {
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			if len(r.planted) == 0 {
				t.Error("nothing is planted")
			}
			for path, text := range r.planted {
				if len(r.violations(parse(t, path, text))) == 0 {
					t.Errorf("nobody sees what is wrong with %s:\n%s", path, text)
				}
			}
			for path, text := range r.sound {
				for _, v := range r.violations(parse(t, path, text)) {
					t.Errorf("%s is sound, and yet: %s\n%s", path, v.what, text)
				}
			}
		})
	}
}

func load(t *testing.T, root string, dirs ...string) []source {
	t.Helper()
	var sources []source
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			text, err := readFile(path)
			if err == nil {
				rel, _ := filepath.Rel(root, path)
				sources = append(sources, parse(t, filepath.ToSlash(rel), text))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(sources) < 20 {
		t.Fatalf("only %d files; is this the repository?", len(sources))
	}
	return sources
}

func parse(t *testing.T, path, text string) source {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{path: path, files: files, file: file, text: text}
}

// find returns a violation for each node of which is says something.
func find(s source, is func(ast.Node) string) []violation {
	var found []violation
	ast.Inspect(s.file, func(n ast.Node) bool {
		if n == nil {
			return false
		}
		if what := is(n); what != "" {
			found = append(found, violation{n, what})
		}
		return true
	})
	return found
}

// selector returns "fmt.Println" of such an expression, or "".
func selector(n ast.Node) string {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := sel.X.(*ast.Ident); ok {
		return fmt.Sprintf("%s.%s", x.Name, sel.Sel.Name)
	}
	return ""
}
