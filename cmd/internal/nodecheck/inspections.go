// SPDX-License-Identifier: Apache-2.0

package nodecheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// inspections returns what checks inspect besides the kernel and the files of the conf
// dir. Each fails if the conf dir cannot be read.
func inspections(n *node.Node, stateDir string) checks.Inspections {
	a, unreadable := n.Assess()
	inspection := func(do func(context.Context, assess.Assessment) ([]inspect.Problem, error)) checks.Inspection {
		return func(ctx context.Context) ([]guard.Finding, error) {
			if unreadable != nil {
				return nil, unreadable
			}
			return findingsOf(do(ctx, a))
		}
	}
	return checks.Inspections{
		Runtime: inspection(func(ctx context.Context, a assess.Assessment) ([]inspect.Problem, error) {
			return inspect.Runtime(ctx, n.Site, a), nil
		}),
		Chain: inspection(func(ctx context.Context, a assess.Assessment) ([]inspect.Problem, error) {
			// The check guard-placement reports the other problems of the guard's binary.
			chain := slices.DeleteFunc(n.InspectChain(ctx, a), func(p inspect.Problem) bool {
				return strings.HasSuffix(p.Object, conflist.GuardType) && p.Kind != inspect.PluginVersion && p.Kind != inspect.PluginFails
			})
			return append(chain, missingGuardctl(n, a)...), nil
		}),
		Pods: inspection(func(ctx context.Context, a assess.Assessment) ([]inspect.Problem, error) {
			return inspect.Attachments(ctx, n.Site, a, stateDir)
		}),
		Changes: func(ctx context.Context) ([]guard.Finding, error) { return confChanges(ctx, n) },
	}
}

// missingGuardctl returns a problem if a file has the guard and the guard could not start
// guardctl. It looks where the guard does: beside the guard's binary, then in the other
// plugin directories. If that binary is missing, guard-placement reports it.
func missingGuardctl(n *node.Node, a assess.Assessment) []inspect.Problem {
	binary := firstFile(conflist.GuardType, n.Site.Runtime.BinDirs...)
	if n.Assumed || binary == "" || len(checks.LoadedEntries(a)) == 0 {
		return nil
	}
	problem := assess.Problem{
		Kind: inspect.PluginMissing, Impact: "if cni-guard refuses a DEL, the IP address of the pod leaks: containerd retries until guardctl is there, CRI-O and podman do not",
	}
	dirs := append([]string{filepath.Dir(binary)}, n.Site.Runtime.BinDirs...)
	path := firstFile("guardctl", dirs...)
	if path == "" {
		path = filepath.Join(dirs[0], "guardctl")
		problem.What, problem.Command = "is missing", "guardctl install"+n.Given()
	} else if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o111 == 0 {
		problem.What, problem.Command = "is not executable", "chmod 0755 "+printable.Word(path)
	} else {
		return nil
	}
	return []inspect.Problem{{Object: path, Problem: problem}}
}

// firstFile returns the path of the first regular file of that name in dirs, or "".
func firstFile(name string, dirs ...string) string {
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// findingsOf returns problems as findings of a check. If there are none, it returns what
// could not be inspected as an error.
func findingsOf(problems []inspect.Problem, err error) (all []guard.Finding, _ error) {
	for _, p := range problems {
		if p.Unknown {
			err = errors.Join(err, fmt.Errorf("%s %s", p.Object, p.Sentence()))
			continue
		}
		all = append(all, guard.Finding{
			Object: p.Object, Problem: p.What, Evidence: p.Evidence, Impact: p.Impact,
			Remedy: p.Advice(), Command: p.Command, Minor: p.Minor,
		})
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, err
}

// RecordRepairs writes an event for each repair that command tried. If that fails, nothing
// is lost: the report has the same.
func RecordRepairs(stateDir, command string, r guard.Report) {
	if stateDir == "" {
		return
	}
	log := slog.New(slog.NewJSONHandler(printable.NewWriter(events.File{Dir: stateDir}), nil)).With("command", command)
	for _, o := range r.Outcomes {
		attrs := []any{"check", o.Check, "state", o.State.String(), "policy", o.Policy.String()}
		switch {
		case o.State == guard.Repaired:
			after := "no finding"
			if changes := o.Changes(); len(changes) > 0 {
				after = strings.Join(changes, ", ")
			}
			log.Warn("repaired: "+o.Sentence(), append(attrs, "before", o.Sentence(), "after", after)...)
		case o.State == guard.Failed && o.RepairTried:
			attrs = append(attrs, "after", o.Sentence())
			if o.Err != nil {
				attrs = append(attrs, "error", o.Err.Error())
			}
			log.Error("not repaired: "+o.Sentence(), attrs...)
		case o.State == guard.Unknown && o.RepairTried:
			log.Warn(o.Check+": could not tell whether the repair worked", append(attrs, "error", o.Err.Error())...)
		}
	}
}
