// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/cri"
	"github.com/cni-guard/cni-guard/cmd/internal/cri/critest"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// chartCapabilities returns what the chart gives the container that installs the guard: the
// manifest is generated from the chart, and a test of the chart compares them.
func chartCapabilities(t *testing.T) []string {
	t.Helper()
	manifest, err := os.ReadFile("../../deploy/manifests/install.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, container, _ := strings.Cut(string(manifest), "- name: install\n")
	add := regexp.MustCompile(`(?m)^ +add: \[(.*)\]$`).FindStringSubmatch(container)
	if add == nil {
		t.Fatal("the manifest gives the container no capabilities")
	}
	return strings.Split(strings.ToLower(add[1]), ", ")
}

// fakeContainerd is a process that looks like containerd from outside: it listens at the
// socket of the node whose root is in the environment. By CRI it says which directories it
// uses only if the environment says so.
func fakeContainerd() {
	err := syscall.Chroot(os.Getenv("CNI_GUARD_TEST_NODE"))
	var l net.Listener
	if err == nil {
		l, err = net.Listen("unix", "/run/containerd/containerd.sock")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	runtime := critest.Runtime{Fails: "unknown service"}
	if os.Getenv("CNI_GUARD_TEST_CRI") != "" {
		runtime = critest.Runtime{Loaded: &cri.Loaded{ConfDir: "/srv/conf", BinDirs: []string{"/srv/bin"}, MaxConfNum: 1}}
	}
	fmt.Println("ready")
	go func() { _ = runtime.Serve(l) }()
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the test
}

// An installNode is a node on which containerd runs, as the container of the chart that
// installs the guard sees it: with the node's root at another path, and in a process
// namespace of its own.
type installNode struct {
	t              *testing.T
	guardctl, root string
}

const (
	otherUID, otherGID = 1234, 4321
	podNetwork         = `{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"bridge"}]}` + "\n"
	// versionScript is a plugin that answers VERSION.
	versionScript = "#!/bin/sh\necho '{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}'\n"
)

// newInstallNode returns a node whose containerd was started with --config, which names
// other directories than the default ones. Its conf dir has the file of a network plugin.
func newInstallNode(t *testing.T, guardctl string, uid, gid int, env ...string) *installNode {
	t.Helper()
	n := &installNode{t: t, guardctl: guardctl, root: nodeDir(t, "host")}
	// A shell for the scripts that stand for programs, with its libraries, and the processes of
	// the node.
	sh(t, `cd "$1"
mkdir -p proc run/containerd tmp var/lib srv/conf srv/bin new
cp -L --parents /bin/sh $(ldd /bin/sh | grep -o '/[^ ]*' || true) .
mount -t proc proc proc`, n.root)
	t.Cleanup(func() { sh(t, `umount -l "$1/proc"`, n.root) })
	for name, content := range map[string]string{
		"srv/bin/bridge": versionScript, "new/cni-guard": versionScript, "new/guardctl": versionScript, "srv/conf/10-pods.conflist": podNetwork,
		"srv/containerd.toml": "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = \"/srv/conf\"\nbin_dir = \"/srv/bin\"\n",
	} {
		if err := os.WriteFile(n.path(name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chown(n.path("srv/conf/10-pods.conflist"), uid, gid), os.Chmod(n.path("srv/conf/10-pods.conflist"), 0o640)); err != nil {
		t.Fatal(err)
	}
	n.startContainerd(env)
	return n
}

func (n *installNode) path(name string) string { return filepath.Join(n.root, name) }

func (n *installNode) startContainerd(env []string) {
	n.t.Helper()
	containerd := &exec.Cmd{
		Path: n.guardctl, Args: []string{"containerd", "--config", "/srv/containerd.toml"},
		Env: slices.Concat(os.Environ(), env, []string{"CNI_GUARD_TEST_NODE=" + n.root}), Stderr: os.Stderr,
	}
	stdin, errIn := containerd.StdinPipe()
	stdout, errOut := containerd.StdoutPipe()
	if err := errors.Join(errIn, errOut, containerd.Start()); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = stdin.Close(); _ = containerd.Wait() })
	if line, err := io.ReadAll(io.LimitReader(stdout, int64(len("ready\n")))); string(line) != "ready\n" {
		n.t.Fatalf("containerd does not start: %v", err)
	}
}

// install runs guardctl install with some capabilities, and none to be had by executing
// something.
func (n *installNode) install(capabilities []string) (code int, stdout, stderr string) {
	n.t.Helper()
	set := "--bounding-set=-all"
	for _, c := range capabilities {
		set += ",+" + c
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "setpriv", "--no-new-privs", "--inh-caps=-all", set, "--",
		n.guardctl, "install", "--root", n.root, "--from", n.path("new"))
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		n.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// tree returns the node's files that an installation may touch, with owners and modes.
func (n *installNode) tree() string {
	n.t.Helper()
	var b strings.Builder
	for _, dir := range []string{"srv", "var", "etc", "opt"} {
		err := filepath.WalkDir(n.path(dir), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == n.path(dir) {
				return nil
			}
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			var content []byte
			if info.Mode().IsRegular() {
				content, err = os.ReadFile(path)
			}
			st := info.Sys().(*syscall.Stat_t)
			fmt.Fprintf(&b, "%s %v %d:%d %s\n", path, info.Mode(), st.Uid, st.Gid, content)
			return err
		})
		if err != nil {
			n.t.Fatal(err)
		}
	}
	return b.String()
}

// With the capabilities of the chart the guard is installed, and the file keeps its owner
// and mode. Without one of them install fails, says why, and changes nothing.
func TestInstallCapabilities(t *testing.T) {
	checktest.PrivateNode(t)
	realRoot(t)
	all, guardctl := chartCapabilities(t), installed(t)
	const conf = "srv/conf/10-pods.conflist"
	owner := func(capability string) string {
		return "guardctl: error: write /" + conf + ": the file belongs to uid 1234 and gid 4321, and so must the new one, which takes " + capability + ": add this to the capabilities of the container; nothing was changed"
	}
	for _, test := range []struct {
		missing        string
		stdout, stderr string
	}{
		{"sys_chroot", "", "enter the node at HOST: operation not permitted: --root needs root and CAP_SYS_CHROOT"},
		{
			"sys_ptrace", "has /run/containerd/containerd.sock open: permission denied: it takes root with CAP_SYS_PTRACE",
			"find directory /etc/cni/net.d: it does not exist",
		},
		{"chown", "", owner("CAP_CHOWN")},
		{"fowner", "", owner("CAP_FOWNER")},
		{"dac_override", "", "guardctl: error: find the file to put the guard into: read /" + conf + ": permission denied: root is refused here: " +
			"/" + conf + " belongs to another user and this container lacks CAP_CHOWN, CAP_FOWNER or CAP_DAC_OVERRIDE"},
	} {
		if !slices.Contains(all, test.missing) {
			t.Errorf("the chart does not give %s", test.missing)
		}
		t.Run("without "+test.missing, func(t *testing.T) {
			n := newInstallNode(t, guardctl, otherUID, otherGID)
			before := n.tree()
			code, stdout, stderr := n.install(slices.DeleteFunc(slices.Clone(all), func(c string) bool { return c == test.missing }))
			if code != 2 || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, strings.ReplaceAll(test.stderr, "HOST", n.root)) {
				t.Errorf("exit code %d, and not 2 with %q and %q\n%s\n%s", code, test.stdout, test.stderr, stdout, stderr)
			}
			if after := n.tree(); after != before {
				t.Errorf("it changed\n%s\nto\n%s", before, after)
			}
		})
	}
	const commandLine = "its configuration is /srv/containerd.toml: the command line of containerd"
	for name, test := range map[string]struct {
		capabilities []string
		uid, gid     int
		env          []string
		found        string
	}{
		"with all, file of another user":      {all, otherUID, otherGID, nil, commandLine},
		"with two, file of root":              {[]string{"sys_chroot", "sys_ptrace"}, 0, 0, nil, commandLine},
		"with one, and containerd serves CRI": {[]string{"sys_chroot"}, 0, 0, []string{"CNI_GUARD_TEST_CRI=1"}, "conf_dir is /srv/conf: the running containerd, unlike its configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newInstallNode(t, guardctl, test.uid, test.gid, test.env...)
			code, stdout, stderr := n.install(test.capabilities)
			if code != 0 || !strings.Contains(stdout, test.found) || !strings.Contains(stdout, "the guard is installed") {
				t.Fatalf("exit code %d\n%s\n%s", code, stdout, stderr)
			}
			content, errRead := os.ReadFile(n.path(conf))
			info, errStat := os.Stat(n.path(conf))
			if err := errors.Join(errRead, errStat); err != nil {
				t.Fatal(err)
			}
			st := info.Sys().(*syscall.Stat_t)
			if !strings.Contains(string(content), `"type":"cni-guard"`) || int(st.Uid) != test.uid || int(st.Gid) != test.gid || info.Mode().Perm() != 0o640 {
				t.Errorf("the file belongs to %d:%d, mode %v: %s", st.Uid, st.Gid, info.Mode(), content)
			}
		})
	}
}
