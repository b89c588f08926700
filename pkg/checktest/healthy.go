// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Healthy runs every check of the suite on each healthy node, DIR/NODE.txtar: at ADD,
// with the pod of that node, at STATUS, and without a pod. A check may pass, or be
// skipped; a finding, even a minor one, is a false alarm, and an unknown leaves an
// operator with a question that has no answer.
//
// A healthy node is a fixture without a setup. In its section want, a line "CHECK
// skipped: PART OF THE REASON" says that a check must be skipped, at whatever stage.
// The loopback plugin is ours, inspections find nothing, and the plugin of cni-guard is
// installed. With the key caller, that process calls ADD.
func Healthy(t *testing.T, suite []*checks.Check, dir string) {
	nodes, err := loadAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) == 0 {
		t.Fatalf("%s has no healthy node", dir)
	}
	for _, f := range nodes {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel() // a check may wait for the answer of a peer
			for _, problem := range f.falseAlarms(suite) {
				t.Error(problem)
			}
		})
	}
}

// falseAlarms returns what is wrong with what the checks say of a healthy node.
func (f *fixture) falseAlarms(suite []*checks.Check) []string {
	var wrong []string
	skipped := map[string]string{} // the reason of each check that was skipped
	for _, c := range suite {
		for _, stage := range []guard.Stage{guard.Add, guard.Status, guard.Node} {
			if c.When&stage == 0 {
				continue
			}
			o, err := f.onHealthy(c, stage)
			switch {
			case err != nil:
				wrong = append(wrong, fmt.Sprintf("%s at %s: %v", c.Name, stage, err))
			case o.State == guard.Skipped:
				skipped[c.Name] = o.Note
			case o.State != guard.Passed:
				wrong = append(wrong, fmt.Sprintf("%s at %s has %s: %v, error %v", c.Name, stage, o.State, o.Findings, o.Err))
			}
		}
	}
	for _, line := range f.want.findings {
		name, part, ok := strings.Cut(line, " skipped: ")
		known := slices.ContainsFunc(suite, func(c *checks.Check) bool { return c.Name == name })
		if reason, is := skipped[name]; !ok || !known || !is || !strings.Contains(reason, part) {
			wrong = append(wrong, fmt.Sprintf("want %q, and the reason is %q", line, reason))
		}
	}
	return wrong
}

// onHealthy runs one check on a node of its own.
func (f *fixture) onHealthy(c *checks.Check, stage guard.Stage) (guard.Outcome, error) {
	node, nodeErr := netstate.Parse(f.node)
	pod, podErr := netstate.Parse(f.pod)
	root, rootErr := os.MkdirTemp("", "healthy-")
	if err := errors.Join(nodeErr, podErr, rootErr); err != nil {
		return guard.Outcome{}, err
	}
	defer os.RemoveAll(root)
	netns := judgements()[f.target.netns]
	t := f.target.build(stage, &netns, node, func() netstate.View { return pod })
	f.target.remember(t)
	if err := errors.Join(makeDirectories(root), f.unpack(root), f.configure(c, t, root)); err != nil {
		return guard.Outcome{}, err
	}
	// A /proc without processes: whether a daemon runs can be determined, and none does.
	if err := os.MkdirAll(filepath.Join(root, "host", "proc"), 0o755); err != nil {
		return guard.Outcome{}, fmt.Errorf("make directory of the fixture: %w", err)
	}
	for _, program := range []string{"cni-guard", "loopback"} {
		if err := os.WriteFile(filepath.Join(root, "bin", program), []byte("#!/bin/sh\n"), 0o755); err != nil {
			return guard.Outcome{}, fmt.Errorf("install %s: %w", program, err)
		}
	}
	look := conf{inspect: "nothing"}.inspection()
	t.Conf.Inspect = checks.Inspections{Runtime: look, Chain: look, Pods: look, Changes: look}
	t.Conf.Loopback = conf{loopback: "ours"}.loopbackOf(filepath.Join(root, "bin", "loopback"))
	if t.Conf.Runtime.Kind == 0 {
		t.Conf.Runtime.Kind = conflist.Containerd
	}
	if stage != guard.Add {
		t.Conf.Network = ""
	} else if f.target.conf.caller != "" {
		t.Conf.Runtime.Kind = 0 // it follows from the caller
	}
	return alone(c, stage, t, false), nil
}
