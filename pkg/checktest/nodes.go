// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// EachNode calls do, in a subtest, with every check that runs without a pod and each of
// its fixtures, DIR/CHECK/CASE.txtar: the node of the fixture on the fake, at the stage
// Node. What the check says there need not be what the fixture wants, which may have
// another stage.
func EachNode(t *testing.T, suite []*checks.Check, dir string, do func(*testing.T, *checks.Check, *checks.Target)) {
	for _, c := range suite {
		if c.When&guard.Node == 0 {
			continue
		}
		fixtures, err := loadAll(filepath.Join(dir, c.Name))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fixtures {
			t.Run(c.Name+"/"+f.name, func(t *testing.T) {
				target, err := f.asNode(c, t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				do(t, c, target)
			})
		}
	}
}

// asNode returns the target of a check at the stage Node. root is an empty directory.
func (f *fixture) asNode(c *checks.Check, root string) (*checks.Target, error) {
	node, err := netstate.Parse(f.node)
	if err != nil {
		return nil, err
	}
	netns := judgements()[f.target.netns]
	t := f.target.build(guard.Node, &netns, node, func() netstate.View { return node })
	f.target.remember(t)
	if err := errors.Join(makeDirectories(root), f.unpack(root), f.configure(c, t, root)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(root, "host", "proc"), 0o755); err != nil {
		return nil, fmt.Errorf("make directory of the fixture: %w", err)
	}
	return t, nil
}
