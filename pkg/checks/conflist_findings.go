// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// The bounds of what is described.
const (
	described  = 3
	namedAtAll = 5
)

// findings turns problems into findings: the first few of those that refuse a pod,
// and of those that do not, are described, and the others named. Where nothing but
// the unknown was found it is the error.
func (t *Target) findings(a assess.Assessment) ([]guard.Finding, error) {
	var serious, minor []assess.Problem
	var unknown error
	for _, p := range a.Problems {
		switch {
		case p.Unknown:
			unknown = errors.New(conflistObject(a, p) + " " + p.Sentence() + ": " + p.Advice())
		case p.Minor:
			minor = append(minor, p)
		default:
			serious = append(serious, p)
		}
	}
	found := append(describeProblems(a, serious, false), describeProblems(a, minor, true)...)
	if len(found) == 0 {
		return nil, unknown
	}
	return found, nil
}

func describeProblems(a assess.Assessment, problems []assess.Problem, minor bool) (found []guard.Finding) {
	for i, p := range problems {
		if i == described {
			return append(found, moreProblems(a, problems[i:], minor))
		}
		f := conflistFinding(a, p)
		f.Minor = minor
		found = append(found, f)
	}
	return found
}

func conflistFinding(a assess.Assessment, p assess.Problem) guard.Finding {
	return guard.Finding{Object: conflistObject(a, p), Problem: p.Sentence(), Remedy: p.Advice(), Minor: p.Minor}
}

// conflistObject is the path of the file, or of the folder.
func conflistObject(a assess.Assessment, p assess.Problem) string {
	if p.File == "" {
		return assess.QuoteName(a.Selection.Dir)
	}
	return assess.QuoteName(a.Selection.Path(p.File))
}

// moreProblems returns one finding for all problems that are not described.
func moreProblems(a assess.Assessment, rest []assess.Problem, minor bool) guard.Finding {
	var names []string
	for _, p := range rest[:min(namedAtAll, len(rest))] {
		names = append(names, assess.QuoteName(p.File))
	}
	list := strings.Join(names, ", ")
	if len(names) < len(rest) {
		list += ", …"
	}
	return guard.Finding{Object: assess.QuoteName(a.Selection.Dir), Problem: fmt.Sprintf("holds %d more beside the guard's (%s)", len(rest), list), Minor: minor}
}
