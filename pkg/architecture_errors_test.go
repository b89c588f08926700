// SPDX-License-Identifier: Apache-2.0

package pkg_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func errorRules() []rule {
	return []rule{
		{
			name:       "errors are not compared with ==",
			reason:     "an error that is wrapped once more would no longer be recognised; use errors.Is or errors.As",
			violations: func(s source) []violation { return find(s, comparesErrors) },
			planted: map[string]string{
				"pkg/x/a.go": inFunc("if err == io.EOF {}"),
				"pkg/x/b.go": inFunc("if runErr != ErrGone {}"),
				"pkg/x/c.go": inFunc("if unix.EINTR == o.Err {}"),
				"pkg/x/d.go": inFunc("switch err { case unix.EINTR: }"),
				"pkg/x/e.go": inFunc("_ = os.IsNotExist(err)"),
				"pkg/x/f.go": inFunc("_ = os.IsPermission(err)"),
				"pkg/x/g.go": inFunc("_ = err.(*os.PathError)"),
				"pkg/x/h.go": inFunc("switch err.(type) {}"),
			},
			sound: map[string]string{
				"pkg/x/a.go": inFunc("if err != nil {}"),
				"pkg/x/b.go": inFunc("_ = errors.Is(err, io.EOF)"),
				"pkg/x/c.go": inFunc("_ = (err == nil) != (want == nil)"),
				"pkg/x/d.go": inFunc("switch err := f(); { case errors.Is(err, io.EOF): }"),
				"pkg/x/e.go": inFunc("if o.Err == nil && n == 1 {}"),
			},
		},
		{
			name:       "errors are wrapped with %w",
			reason:     "%v and %s keep the words of an error and lose what it is, so that nobody above can tell fs.ErrNotExist",
			violations: func(s source) []violation { return find(s, losesError) },
			planted: map[string]string{
				"pkg/x/a.go": inFunc(`_ = fmt.Errorf("read: %v", err)`),
				"pkg/x/b.go": inFunc(`_ = fmt.Errorf("read %s at %d: %s", name, 7, readErr)`),
				"pkg/x/c.go": inFunc(`_ = fmt.Errorf("read: %w", err.Error())`),
				"pkg/x/d.go": inFunc(`_ = fmt.Errorf("read: %+v", o.Err)`),
				"pkg/x/e.go": inFunc(`_ = errors.New(err.Error())`),
				"pkg/x/f.go": inFunc(`_ = fmt.Errorf("at %*d: %v", 7, n, err)`),
			},
			sound: map[string]string{
				"pkg/x/a.go": inFunc(`_ = fmt.Errorf("read %v: %w", name, err)`),
				"pkg/x/b.go": inFunc(`_ = fmt.Errorf("100%% of %s", name)`),
				"pkg/x/c.go": inFunc(`_ = fmt.Sprintf("read: %v", err)`),
				"pkg/x/d.go": inFunc(`_ = fmt.Errorf("panicked: %v", p)`),
			},
		},
	}
}

func inFunc(body string) string { return "package x\nfunc _() {\n" + body + "\n}\n" }

// looksLikeError goes by names, as there are no types here: err, readErr, o.Err.
func looksLikeError(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "err" || strings.HasSuffix(e.Name, "Err")
	case *ast.SelectorExpr:
		return e.Sel.Name == "Err" || strings.HasSuffix(e.Sel.Name, "Err")
	}
	return false
}

// isErrorText reports whether the expression is such as err.Error().
func isErrorText(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) > 0 {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Error"
}

func isNil(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "nil"
}

func comparesErrors(n ast.Node) string {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if (n.Op == token.EQL || n.Op == token.NEQ) && !isNil(n.X) && !isNil(n.Y) && (looksLikeError(n.X) || looksLikeError(n.Y)) {
			return "compares an error with " + n.Op.String()
		}
	case *ast.SwitchStmt:
		if n.Tag != nil && looksLikeError(n.Tag) {
			return "switches over an error"
		}
	case *ast.TypeAssertExpr: // x.(type) as well
		if looksLikeError(n.X) {
			return "asserts the type of an error"
		}
	case *ast.SelectorExpr:
		if slices.Contains([]string{"os.IsNotExist", "os.IsExist", "os.IsPermission", "os.IsTimeout"}, selector(n)) {
			return "uses " + selector(n)
		}
	}
	return ""
}

func losesError(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return ""
	}
	name := selector(call.Fun)
	if name == "errors.New" && isErrorText(call.Args[0]) {
		return "makes a new error of the words of another"
	}
	format, ok := call.Args[0].(*ast.BasicLit)
	if name != "fmt.Errorf" || !ok {
		return ""
	}
	verbs := formatVerbs(format.Value)
	for i, arg := range call.Args[1:] {
		if isErrorText(arg) || looksLikeError(arg) && i < len(verbs) && verbs[i] != 'w' {
			return "wraps an error, but not with %w"
		}
	}
	return ""
}

// formatVerbs returns the verb of each argument; a width of * takes one, too.
func formatVerbs(literal string) []byte {
	format, err := strconv.Unquote(literal)
	if err != nil {
		return nil
	}
	var verbs []byte
	for _, m := range regexp.MustCompile(`%[-+# 0]*(\*|\d+)?(?:\.(\*|\d+))?(.)`).FindAllStringSubmatch(format, -1) {
		for _, width := range m[1:3] {
			if width == "*" {
				verbs = append(verbs, '*')
			}
		}
		if m[3] != "%" {
			verbs = append(verbs, m[3][0])
		}
	}
	return verbs
}
