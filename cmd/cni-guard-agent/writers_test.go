// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// culprit returns what the file of events says about who wrote the rogue file.
func (r *rig) culprit() string {
	for line := range strings.Lines(r.read("state/events.jsonl")) {
		var e struct{ Object, Culprit string }
		if json.Unmarshal([]byte(line), &e) == nil && strings.HasSuffix(e.Object, "/05-rogue.conflist") && e.Culprit != "" {
			return e.Culprit
		}
	}
	return ""
}

// writeRogue starts a shell that writes a rogue file, joins a control group before if that is
// not "", and lives until the test ends.
func (r *rig) writeRogue(group string) *exec.Cmd {
	r.t.Helper()
	cmd := exec.Command("sh", "-euc", `[ -z "$3" ] || echo $$ >"$3/cgroup.procs"; echo "$1" >"$2"; read -r _`, "writer",
		strings.Replace(conf, "net", "rogue", 1), r.path("conf/05-rogue.conflist"), group)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // read fails at the end of its input
	})
	return cmd
}

// podGroup makes a control group as a pod has it, and returns its path: "" where that is not
// possible, as in some containers.
func (r *rig) podGroup(uid string) string {
	r.t.Helper()
	root := r.t.TempDir()
	if out, err := exec.Command("mount", "-t", "cgroup2", "none", root).CombinedOutput(); err != nil {
		r.t.Logf("no control groups here: %v: %s", err, out)
		return ""
	}
	r.t.Cleanup(func() { checktest.Shell(r.t, "umount "+root) })
	parent := fmt.Sprintf("%s/cni-guard-test-%d-%d", root, os.Getppid(), os.Getpid())
	group := parent + "/pod" + uid
	if err := os.MkdirAll(group, 0o755); err != nil {
		r.t.Logf("no control groups here: %v", err)
		return ""
	}
	r.t.Cleanup(func() { _, _ = os.Remove(group), os.Remove(parent) })
	return group
}

// overlay puts the conf dir on overlayfs, as in a node that is a container, and on some
// distributions. It has no handles of files, and the kernel names who writes there since Linux 6.6.
func (r *rig) overlay() {
	r.t.Helper()
	var kernel unix.Utsname
	var major, minor int
	if err := unix.Uname(&kernel); err != nil {
		r.t.Fatal(err)
	}
	version := unix.ByteSliceToString(kernel.Release[:])
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || major < 6 || major == 6 && minor < 6 {
		r.t.Logf("Linux %s: the conf dir is not on overlayfs (%v)", version, err)
		return
	}
	upper, conf := r.t.TempDir(), r.path("conf")
	checktest.Shell(r.t, fmt.Sprintf("mount -t tmpfs tmpfs %[1]s && mkdir %[1]s/upper %[1]s/work && mount -t overlay -o lowerdir=%[2]s,upperdir=%[1]s/upper,workdir=%[1]s/work overlay %[2]s", upper, conf))
	r.t.Cleanup(func() { checktest.Shell(r.t, fmt.Sprintf("umount -l %s %s", conf, upper)) })
}

// With CAP_SYS_ADMIN the event of a rogue file names the process that wrote it, and its pod;
// without it the event says that this is not known.
func TestNamesWriter(t *testing.T) {
	r := newRig(t, "--profile", "repair", "--keep", "enforce")
	if users, err := os.ReadFile("/proc/self/uid_map"); err != nil || strings.Join(strings.Fields(string(users)), " ") != "0 0 4294967295" {
		checktest.Lacking(t, "fanotify names processes to root outside of a user namespace only")
	}
	const pod = "0e3b1c6d-1111-2222-3333-444455556666"
	group := r.podGroup(pod)

	r.overlay()
	agent, log := r.start()
	r.ready(agent.Pid)
	r.awaitLog(log, "the kernel reports which process writes")
	writer := r.writeRogue(group)
	r.await("the rogue is in quarantine, and its writer is named", func() bool {
		return r.read("conf/05-rogue.conflist") == "" && r.culprit() != ""
	})
	want := fmt.Sprintf(`pid %d "sh -euc`, writer.Process.Pid)
	if by := r.culprit(); !strings.HasPrefix(by, want) || group != "" && !strings.Contains(by, "in the pod with UID "+pod) {
		t.Errorf("the writer is %q, want %q with its pod (control group %q)", by, want, group)
	}
	if actions := r.status().Conf.Actions; len(actions) == 0 || actions[0].Culprit != r.culprit() {
		t.Errorf("the status has %+v", actions)
	}

	weak := newRig(t, "--profile", "repair", "--keep", "enforce")
	agent, _ = weak.start("setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-sys_admin", "--")
	weak.ready(agent.Pid)
	weak.writeRogue("")
	weak.await("the rogue is in quarantine", func() bool { return weak.culprit() != "" })
	if by := weak.culprit(); by != "an unknown program" {
		t.Errorf("without the capability the writer is %q", by)
	}
}
