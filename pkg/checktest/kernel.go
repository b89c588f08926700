// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// replaying marks, in the environment, the process that runs one fixture.
const replaying = "CNI_GUARD_REPLAY"

// prelude makes the node and the sandbox that the setup starts from.
const prelude = `
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/netns /run/lock
ip link set lo up
ip netns add pod
ip -n pod link set lo up
`

// inNode runs this very test once more, as a process in namespaces of its own:
// whatever a setup breaks, no other fixture sees it.
func inNode(t *testing.T) {
	PrivateNode(t)
	t.Parallel()
	pattern := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	cmd := exec.Command(os.Args[0], "-test.run="+pattern, "-test.v")
	// The race detector would have each process sleep a second before it ends.
	cmd.Env = append(os.Environ(), replaying+"=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("the process that replays the fixture did not run it:\n%s", out)
	}
}

// onKernel runs the check on the node and the sandbox of this process, which
// setup breaks first.
func (f *fixture) onKernel(c *checks.Check) error {
	stage, err := f.stageFor(c)
	if err != nil {
		return err
	}
	if f.target.noCookie != "" || f.target.noHolder != "" || f.target.netns == "unreadable" {
		return errors.New("a setup, and a target that only the fake can have")
	}
	if err := shell(prelude); err != nil {
		return fmt.Errorf("prepare the node: %w", err)
	}
	before := netstate.OpenNetns(netnsPath)
	recorded, cookieErr := cookieOf(before)
	held, err := before.View()
	before.Close() // or setup cannot unmount it
	if err := errors.Join(cookieErr, err); err != nil {
		return fmt.Errorf("prepare the node: %w", err)
	}
	defer held.Close() // as long as a socket is in it its inode number is not reused
	const root = "/run/fixture"
	if err := makeDirectories(root); err != nil {
		return err
	}
	if err := shell(expand(f.setup, root), "NETNS="+netnsPath); err != nil {
		return fmt.Errorf("run setup: %w", err)
	}
	t, err := f.open(stage, recorded)
	if err != nil {
		return err
	}
	if err := f.configure(c, t, root); err != nil {
		return err
	}
	if err := f.look(c, stage, t, root); err != nil {
		return err
	}
	return f.mend(c, stage, t)
}

// open opens the target as it is after setup. It returns an error if that is not what
// the target section says.
func (f *fixture) open(stage guard.Stage, recorded uint64) (*checks.Target, error) {
	said := judgements()[f.target.netns]
	netns := netstate.OpenNetns(said.Path)
	if netns.Kind != said.Kind || netns.What != said.What {
		return nil, fmt.Errorf("setup makes %s a %v %q, the target says %v %q", said.Path, netns.Kind, netns.What, said.Kind, said.What)
	}
	node, err := netstate.OpenNode()
	if err != nil {
		return nil, err
	}
	netstate.AskWireGuard(node)
	t := f.target.build(stage, netns, node, func() netstate.View {
		pod, err := netns.View()
		if err != nil {
			return netstate.Unreadable{Err: err}
		}
		return pod
	})
	if t.Netns == nil {
		return t, nil
	}
	t.Cookie = func() (uint64, error) { return cookieOf(netns) }
	if f.target.recorded == "none" {
		return t, nil
	}
	t.Recorded = recorded
	now, err := cookieOf(netns)
	if err == nil && (now == recorded) != (f.target.recorded == "same") {
		return nil, fmt.Errorf("setup makes the cookie of %s %d, it was %d, the target says %s", said.Path, now, recorded, f.target.recorded)
	}
	return t, nil
}

// cookieOf returns the cookie of a namespace. Where the kernel has none (Linux before
// 5.14) the inode number stands for it, which is as good while something is in the
// namespace: what a fixture says of cookies is to hold there, too. That a check judges without
// any is for fixtures of the fake.
func cookieOf(n *netstate.Netns) (uint64, error) {
	cookie, err := n.Cookie()
	if !errors.Is(err, unix.ENOPROTOOPT) {
		return cookie, err
	}
	var st unix.Stat_t
	if err := unix.Stat(n.Path, &st); err != nil {
		return 0, fmt.Errorf("read inode number of %s: %w", n.Path, err)
	}
	return st.Ino, nil
}

// shell runs commands by sh; the error has what they printed.
func shell(commands string, env ...string) error {
	cmd := exec.Command("sh", "-euc", commands)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

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
		return fmt.Errorf("make directory of the fixture: %w", err)
	}
	defer os.RemoveAll(root)
	if err := errors.Join(makeDirectories(root), f.unpack(root), f.configure(c, t, root)); err != nil {
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
