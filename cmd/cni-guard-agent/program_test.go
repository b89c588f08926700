// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/agentapi"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// asProgram makes this test binary the agent.
const asProgram = "CNI_GUARD_TEST_AS_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "1" {
		os.Exit(run(os.Stdout, os.Stderr, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// A rig is a node with an agent.
type rig struct {
	t      *testing.T
	dir    string
	socket string
	args   []string
}

const conf = `{"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge", "bridge": "br0"}]}`

// answers is a plugin that answers VERSION.
const answers = "#!/bin/sh\necho '{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}'\n"

// newRig returns a node on which the guard is installed.
func newRig(t *testing.T, args ...string) *rig {
	t.Helper()
	checktest.PrivateNode(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, socket: filepath.Join(dir, "agent.sock")}
	for _, d := range []string{"conf", "bin", "new", "record", "state"} {
		if err := os.Mkdir(r.path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"bin/bridge", "bin/loopback", "new/cni-guard", "new/guardctl"} {
		r.write(p, answers)
	}
	r.write("conf/10-net.conflist", conf)
	runtime := conflist.NewRuntime(conflist.Containerd)
	runtime.BinDirs = []string{r.path("bin")}
	request := installer.Request{
		Site:      site.Site{Runtime: runtime, ConfDir: r.path("conf"), BinDir: r.path("bin"), CacheDir: r.path("cache")},
		RecordDir: r.path("record"), From: r.path("new"), Placement: installer.Inline,
	}
	if _, _, err := installer.Do(request, installer.Install, func(installer.Step) {}); err != nil {
		t.Fatal(err)
	}
	r.write("conf/10-net.conflist", strings.Replace(r.read("conf/10-net.conflist"), `"type": "cni-guard"`, `"type": "cni-guard", "stateDir": "`+r.path("state")+`"`, 1))
	r.args = append([]string{
		"--socket", r.socket, "--lock", r.path("lock"), "--runtime", "containerd", "--conf-dir", r.path("conf"), "--bin-dir", r.path("bin"),
		"--record-dir", r.path("record"), "--kubernetes", "off", "--look-every", "10m", "--warm-tunnels=false",
	}, args...)
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// write replaces a file in one step.
func (r *rig) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(r.path(".new"), []byte(content), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(r.path(".new"), r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) read(name string) string {
	content, _ := os.ReadFile(r.path(name)) // "" if it is missing
	return string(content)
}

// A buffer is written by one goroutine and read by another.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start starts the agent; it is killed at the end of the test.
func (r *rig) start(wrapper ...string) (*os.Process, *buffer) {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	log := &buffer{}
	command := append(append(wrapper, self), r.args...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if r.t.Failed() {
			r.t.Logf("the log of the agent:\n%s", log)
		}
	})
	return cmd.Process, log
}

// await waits until something is true.
func (r *rig) await(what string, is func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("this did not happen: %s; status %+v", what, r.status())
		}
	}
}

func (r *rig) status() agentapi.Status {
	s, _ := agentapi.Get(r.t.Context(), r.socket) // the zero Status until it is there
	return s
}

// ready waits for the end of the first look.
func (r *rig) ready(pid int) {
	r.t.Helper()
	r.await("the first look", func() bool { s := r.status(); return s.PID == pid && !s.Looks.LastFull.IsZero() })
}

func loIsUp() bool {
	kernel, err := netstate.OpenNode()
	if err != nil {
		return false
	}
	defer kernel.Close()
	lo, err := kernel.Link("lo")
	return err == nil && lo.Up
}

// lo, forwarding and a port of a bridge are put right, also by an agent that was stopped
// when it happened, and by one whose predecessor was killed.
func TestMends(t *testing.T) {
	r := newRig(t, "--profile", "repair")
	checktest.Shell(t, `
ip link set lo up
ip link add br0 type bridge
ip address add 10.244.1.1/24 dev br0
ip link set br0 up
ip netns add pod
ip link add veth1 type veth peer name eth0 netns pod
ip link set veth1 master br0 up
ip -n pod link set eth0 up
ip -n pod address add 10.244.1.7/24 dev eth0
echo 1 >/proc/sys/net/ipv4/ip_forward
`)
	t.Cleanup(func() { checktest.Shell(t, "ip link delete br0; ip netns delete pod; ip link set lo up") })
	boot, err := netstate.BootID()
	if err != nil {
		t.Fatal(err)
	}
	err = ledger.Ledger(r.path("state")).Put(&ledger.Record{
		Key: ledger.Key{Network: "net", ContainerID: "c1", IfName: "eth0"}, BootID: boot, Netns: "/run/netns/pod",
		Addrs: []netip.Prefix{netip.MustParsePrefix("10.244.1.7/24")}, Links: []string{"br0", "veth1"}, Pod: "a/b", Added: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := netstate.OpenNode()
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	forwards := func() bool { value, err := kernel.Sysctl("net/ipv4/ip_forward"); return err == nil && value == "1" }
	isPort := func() bool { link, err := kernel.Link("veth1"); return err == nil && link.Master != 0 }

	first, _ := r.start()
	r.ready(first.Pid)
	for range 5 {
		checktest.Shell(t, "ip link set lo down")
		r.await("lo is up", loIsUp)
	}
	checktest.Shell(t, "echo 0 >/proc/sys/net/ipv4/ip_forward")
	r.await("the node forwards", forwards)
	checktest.Shell(t, "ip link set veth1 nomaster")
	r.await("veth1 is a port", isPort)
	r.await("three kinds of repairs are counted", func() bool {
		s := r.status().Status
		for _, check := range []string{"host-loopback", "ip-forwarding", "bridge-port"} {
			if c := s.Check(check); c == nil || c.Repaired == 0 || c.State != "passed" {
				return false
			}
		}
		return s.Loopback == "up"
	})
	if events := r.read("state/events.jsonl"); !strings.Contains(events, "repaired: host-loopback: node/lo is down") {
		t.Errorf("the events are\n%s", events)
	}

	if err := first.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	checktest.Shell(t, "ip link set lo down")
	if loIsUp() {
		t.Fatal("lo is up, although the agent is stopped, so that this test sees nothing")
	}
	if err := first.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.await("lo is up after the agent was stopped", loIsUp)

	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	checktest.Shell(t, "ip link set lo down; ip link set veth1 nomaster")
	second, _ := r.start()
	r.ready(second.Pid)
	r.await("lo is up after the agent was killed", loIsUp)
	r.await("veth1 is a port after the agent was killed", isPort)
}

// A second agent waits, and takes over when the first is killed.
func TestOneAgent(t *testing.T) {
	r := newRig(t, "--profile", "repair")
	first, _ := r.start()
	r.ready(first.Pid)
	second, log := r.start()
	r.await("the second agent waits", func() bool { return strings.Contains(log.String(), "another agent runs on this node") })
	if s := r.status(); s.PID != first.Pid {
		t.Errorf("process %d serves the socket, not the first agent, %d", s.PID, first.Pid)
	}
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	r.ready(second.Pid)
	if info, err := os.Stat(r.socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, error %v", info.Mode(), err)
	}
}

// An observer changes nothing, without a capability, and without inotify: it compares the
// directory. A lo that stays down is the node's problem and not the agent's.
func TestObserves(t *testing.T) {
	r := newRig(t, "--look-every", "10s")
	if err := exec.Command("unshare", "--user", "--map-root-user", "true").Run(); err != nil {
		checktest.Lacking(t, "no user namespaces, in which inotify can be used up for one process: "+err.Error())
	}
	agent, _ := r.start("unshare", "--user", "--map-root-user", "sh", "-c", `echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"`, "sh")
	r.ready(agent.Pid)
	r.await("the files are compared", func() bool {
		for _, w := range r.status().Watches {
			if w.Source == "files" {
				return !w.Events && strings.Contains(w.Why, "max_user_instances")
			}
		}
		return false
	})
	r.write("conf/05-rogue.conflist", strings.Replace(conf, "net", "rogue", 1))
	r.await("the rogue is found", func() bool { c := r.status().Check("conflist"); return c != nil && c.State == "failed" })
	checktest.Shell(t, "ip link set lo down")
	defer checktest.Shell(t, "ip link set lo up")
	r.await("lo is seen", func() bool { return r.status().Loopback == "down" })
	if loIsUp() {
		t.Error("the observer has set lo up")
	}
	if r.read("conf/05-rogue.conflist") == "" {
		t.Error("the observer has taken the rogue away")
	}
	if err := os.Remove(r.path("conf/05-rogue.conflist")); err != nil {
		t.Fatal(err)
	}
	r.await("the finding is gone", func() bool { return r.status().Check("conflist").State == "passed" })

	r.await("the node has a problem", func() bool { p := r.status().Problem; return p != nil && strings.Contains(p.Message, "host-loopback") })
	for range 4 {
		looks := r.status().Looks.Full
		r.await("another full look", func() bool { return r.status().Looks.Full > looks })
		s := r.status()
		if s.PID != agent.Pid || s.Loopback != "down" || s.Problem == nil || s.Check("host-loopback").State != "failed" {
			t.Fatalf("process %d, lo %s, problem %+v", s.PID, s.Loopback, s.Problem)
		}
		if err := agentapi.Ping(t.Context(), r.socket); err != nil {
			t.Fatal("the liveness probe fails: ", err)
		}
	}
	checktest.Shell(t, "ip link set lo up")
	r.await("lo is well", func() bool { s := r.status(); return s.Loopback == "up" && s.Check("host-loopback").State == "passed" })
}

// What an agent has found is known to the next one, also if it was killed, and if the disk
// was full when it happened.
func TestRemembers(t *testing.T) {
	r := newRig(t, "--profile", "repair", "--look-every", "10s")
	checktest.Shell(t, "mount -t tmpfs -o size=64k none "+r.path("state"))
	t.Cleanup(func() { checktest.Shell(t, "umount "+r.path("state")) })
	first, _ := r.start()
	r.ready(first.Pid)
	checktest.Shell(t, "rm "+r.path("state/events.jsonl")+"; head -c 1M /dev/zero >"+r.path("state/full")+" 2>/dev/null || true; ip link set lo down")
	r.await("lo is repaired", func() bool { c := r.status().Check("host-loopback"); return c != nil && c.Repaired > 0 })
	const event = "repaired: host-loopback: node/lo is down"
	if strings.Contains(r.read("state/events.jsonl"), event) {
		t.Fatal("the event was written, so that the disk was not full")
	}
	if err := os.Remove(r.path("state/full")); err != nil {
		t.Fatal(err)
	}
	r.await("the event is written when there is room", func() bool { return strings.Contains(r.read("state/events.jsonl"), event) })
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	second, _ := r.start()
	r.ready(second.Pid)
	for _, i := range r.status().Incidents {
		if i.Check == "host-loopback" && i.Repaired && i.ID == "CG105" && i.Object == "node/lo" {
			return
		}
	}
	t.Errorf("the second agent knows of %+v", r.status().Incidents)
}

// With keep enforce the guard comes back, a rogue goes, a file that was deleted is written
// again, and a conf dir that is replaced is followed.
func TestKeepsConfDir(t *testing.T) {
	r := newRig(t, "--profile", "repair", "--keep", "enforce")
	agent, _ := r.start()
	r.ready(agent.Pid)
	guarded := func() bool { return strings.Contains(r.read("conf/10-net.conflist"), "cni-guard") }
	for range 3 {
		r.write("conf/10-net.conflist", conf)
		r.await("the guard is back", guarded)
	}
	// The operator's options come back with it, once the agent has seen them.
	audit := strings.Replace(r.read("conf/10-net.conflist"), `"type":"cni-guard"`, `"type":"cni-guard","mode":"audit"`, 1)
	for strings.Count(audit, "audit") == 1 && !strings.Contains(r.read("conf/10-net.conflist"), "audit") {
		seen := r.status().Looks.Quick
		r.write("conf/10-net.conflist", audit)
		r.await("the agent looks at the new options", func() bool { return r.status().Looks.Quick > seen })
		r.write("conf/10-net.conflist", conf)
		r.await("the guard is back", guarded)
	}
	r.write("conf/05-rogue.conflist", strings.Replace(conf, "net", "rogue", 1))
	r.await("the rogue is in quarantine", func() bool { return r.read("conf/05-rogue.conflist") == "" })
	if err := os.Remove(r.path("conf/10-net.conflist")); err != nil {
		t.Fatal(err)
	}
	r.await("the deleted file is back", guarded)

	for _, move := range [][2]string{{"conf", "old"}, {"made", "conf"}} {
		if move[0] == "made" {
			if err := os.Mkdir(r.path("made"), 0o755); err != nil {
				t.Fatal(err)
			}
			r.write("made/10-net.conflist", conf)
		}
		if err := os.Rename(r.path(move[0]), r.path(move[1])); err != nil {
			t.Fatal(err)
		}
	}
	r.await("the guard is in the directory that was replaced", guarded)
	r.write("conf/10-net.conflist", conf)
	r.await("and the new directory is watched", guarded)

	done := r.status().Counters.ConfActions
	for _, action := range []string{"reinsert", "quarantine", "restore"} {
		if done[action]["done"] == 0 {
			t.Errorf("%s was not counted: %v", action, done)
		}
	}
}

// A plugin that is gone was uninstalled, and so was the file.
func TestDoesNotRestoreWithoutPlugins(t *testing.T) {
	r := newRig(t, "--profile", "repair", "--keep", "enforce")
	agent, _ := r.start()
	r.ready(agent.Pid)
	if err := os.Remove(r.path("bin/bridge")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.path("conf/10-net.conflist")); err != nil {
		t.Fatal(err)
	}
	r.await("the file is missed", func() bool { c := r.status().Check("conflist"); return c != nil && c.State == "failed" })
	if r.read("conf/10-net.conflist") != "" {
		t.Error("the file of an uninstalled network was written again")
	}
}

// With --once the exit code says what was found.
func TestOnce(t *testing.T) {
	r := newRig(t, "--once")
	var stdout, stderr bytes.Buffer
	if code := run(&stdout, &stderr, r.args); code != 0 && code != 1 || !strings.Contains(stdout.String(), `"host-loopback"`) {
		t.Errorf("exit code %d\n%s\n%s", code, &stdout, &stderr)
	}
}
