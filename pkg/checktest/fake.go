// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"errors"
	"fmt"
	"os"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// The cookies of the fake's namespaces.
const cookieNow, cookieOther = 4026, 4027

// onFake runs the check on the fake: probe, and then repair. Looking must change
// nothing, and a repair nothing but what the fixture says.
func (f *fixture) onFake(c *checks.Check) error {
	stage, err := f.stageFor(c)
	if err != nil {
		return err
	}
	node, nodeErr := netstate.Parse(f.node)
	pod, podErr := netstate.Parse(f.pod)
	if err := errors.Join(nodeErr, podErr); err != nil {
		return err
	}
	netns := judgements()[f.target.netns]
	t := f.target.build(stage, &netns, node, func() netstate.View { return pod })
	f.target.remember(t)
	root, err := os.MkdirTemp("", "fixture-")
	if err != nil {
		return fmt.Errorf("make folder of the fixture: %w", err)
	}
	defer os.RemoveAll(root)
	if err := errors.Join(makeFolders(root), f.unpack(root), f.configure(c, t, root)); err != nil {
		return err
	}

	if err := f.look(c, stage, t, root); err != nil {
		return err
	}
	if err := errors.Join(compare("node", node, f.node), compare("pod", pod, f.pod)); err != nil {
		return fmt.Errorf("the probe changed something: %w", err)
	}
	if err := f.mend(c, stage, t); err != nil || !f.repairs() {
		return err
	}
	wantNode, wantPod := f.node, f.pod
	if f.comparesNode {
		wantNode = f.nodeRepaired
	}
	if f.comparesPod {
		wantPod = f.podRepaired
	}
	if err := errors.Join(compare("node", node, wantNode), compare("pod", pod, wantPod)); err != nil {
		return fmt.Errorf("after the repair: %w", err)
	}
	return nil
}

// remember fills in what the ledger and the kernel say of the cookie.
func (t target) remember(built *checks.Target) {
	if built.Netns == nil {
		return
	}
	built.Cookie = func() (uint64, error) {
		if t.noCookie != "" {
			return 0, errors.New(t.noCookie)
		}
		return cookieNow, nil
	}
	built.Recorded = map[string]uint64{"same": cookieNow, "other": cookieOther}[t.recorded]
}

func compare(whose string, got *netstate.Fake, want string) error {
	if got.String() != want {
		return fmt.Errorf("the namespace of the %s is\n%s\nand not\n%s", whose, got, want)
	}
	return nil
}
