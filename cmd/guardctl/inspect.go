// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/inspect"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// besideFiles returns the problems that lie not in the files of the conf dir but in
// what works with them: the runtime that runs, and the programs of the plugins.
func (n *confNode) besideFiles(ctx context.Context, a assess.Assessment) []inspect.Problem {
	return append(inspect.Runtime(ctx, n.site, a), n.chain(ctx, a)...)
}

// chain looks at the programs of the plugins, if it is known where they belong.
func (n *confNode) chain(ctx context.Context, a assess.Assessment) []inspect.Problem {
	if n.assumed {
		return nil
	}
	return inspect.Chain(ctx, a, n.Given())
}

// inspections are what doctor looks at beside the kernel and the files. The folder
// may be one that could not be read, with the error.
func (n *confNode) inspections(a assess.Assessment, trouble error, stateDir string) checks.Inspections {
	of := func(look func(context.Context) ([]inspect.Problem, error)) checks.Inspection {
		return func(ctx context.Context) ([]guard.Finding, error) {
			if trouble != nil {
				return nil, trouble
			}
			problems, err := look(ctx)
			return findingsOf(problems, err)
		}
	}
	return checks.Inspections{
		Runtime: of(func(ctx context.Context) ([]inspect.Problem, error) { return inspect.Runtime(ctx, n.site, a), nil }),
		Chain: of(func(ctx context.Context) ([]inspect.Problem, error) {
			// The check guard-placement looks at the guard's own program.
			return slices.DeleteFunc(n.chain(ctx, a), func(p inspect.Problem) bool {
				return strings.HasSuffix(p.Object, conflist.GuardType) && p.Kind != inspect.PluginVersion && p.Kind != inspect.PluginFails
			}), nil
		}),
		Pods: of(func(ctx context.Context) ([]inspect.Problem, error) {
			return inspect.Attachments(ctx, n.site, a, stateDir)
		}),
	}
}

// findingsOf returns the findings of a check, or why it cannot tell, where there
// are none and something could not be looked at.
func findingsOf(problems []inspect.Problem, err error) (all []guard.Finding, _ error) {
	for _, p := range problems {
		if p.Unknown {
			err = errors.Join(err, fmt.Errorf("%s %s", p.Object, p.Sentence()))
			continue
		}
		all = append(all, guard.Finding{Object: p.Object, Problem: p.Sentence(), Remedy: p.Advice(), Minor: p.Minor})
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, err
}

// shownProblem is a problem as conf shows it.
func shownProblem(p inspect.Problem) confFinding {
	return confFinding{
		Kind: p.Kind, File: p.Object, Problem: p.What, Evidence: p.Evidence, Pods: p.Impact,
		Command: p.Command, Remedy: p.Remedy, Minor: p.Minor, Unknown: p.Unknown,
	}
}
