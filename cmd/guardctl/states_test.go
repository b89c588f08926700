// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// installed copies the program of this test to a directory that every user can enter. The
// copy is guardctl: TestMain runs the command that the program is named after.
func installed(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(nodeDir(t, "bin"), "guardctl")
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// nodeDir creates a directory of the private node that every user can enter, which is gone
// after the test.
func nodeDir(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", name)
	if err != nil {
		t.Fatal(err)
	}
	// What is still mounted there, such as the machine's root, is not removed.
	t.Cleanup(func() { _ = exec.Command("rm", "-rf", "--one-file-system", dir).Run() })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sh runs a line of shell in the private node.
func sh(t *testing.T, line string, args ...string) {
	t.Helper()
	if out, err := exec.Command("sh", append([]string{"-euc", line, "sh"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// realRoot skips the test for a user that is root in a user namespace only.
func realRoot(t *testing.T) {
	t.Helper()
	users, err := os.ReadFile("/proc/self/uid_map")
	if fields := strings.Fields(string(users)); err != nil || len(fields) != 3 || fields[0] != "0" || fields[1] != "0" {
		checktest.Lacking(t, "this takes root outside of a user namespace")
	}
}

// A state is one in which doctor is run.
type state struct {
	name string
	// wrap are the words before guardctl, flags those after doctor.
	wrap, flags []string
	up, down    string // lines of shell
	codes       []int
	// limits are parts of what doctor says it could not look at; unknown the checks that must
	// not be said to have passed.
	limits  []string
	unknown []string
}

// In each state the output of doctor is what its formats promise, whatever it could see, and
// it says what it could not look at.
func TestDoctorInStates(t *testing.T) {
	checktest.PrivateNode(t)
	realRoot(t)
	guardctl := installed(t)
	conf, bin, host, part := nodeDir(t, "conf"), nodeDir(t, "plugins"), nodeDir(t, "host"), nodeDir(t, "part")
	sh(t, `cd "$1"; echo '{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"a"},{"type":"cni-guard"}]}' >10-a.conflist; echo {} >20-secret.conf; chmod 0600 20-secret.conf`, conf)
	sh(t, `mkdir -p /run/cni-guard/live /run/cni-guard/record && chmod 0700 /run/cni-guard`)
	t.Cleanup(func() { sh(t, "rm -rf /run/cni-guard") })
	sh(t, `mount --rbind / "$1" && mount --make-rslave "$1"`, host)
	t.Cleanup(func() { sh(t, `umount -R -l "$1"`, host) })
	sh(t, `cd "$1"; mkdir -p etc proc run/x var/lib/x sys/x bin; cp -r "$2" conf`, part, conf)
	socket := filepath.Join(nodeDir(t, "containerd"), "containerd.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Chmod(socket, 0o600); err != nil {
		t.Fatal(err)
	}
	site := []string{"--runtime", "containerd", "--conf-dir", conf, "--bin-dir", bin, "--record-dir", "/run/cni-guard/record"}
	nobody := []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}
	some := []int{cli.ExitFindings, cli.ExitUnknown}
	for _, s := range []state{
		{name: "root", flags: site, codes: some},
		{name: "no conf dir", flags: []string{"--runtime", "containerd", "--conf-dir", "/nowhere"}, codes: some},
		{name: "no runtime", flags: []string{"--conf-dir", conf, "--bin-dir", bin}, codes: some},
		{name: "lo down", flags: site, up: "ip link set lo down", down: "ip link set lo up", codes: []int{cli.ExitFindings}},
		{name: "one healthy check", flags: slices.Concat(site, []string{"--check", "routing-rules"}), codes: []int{cli.ExitOK}},
		{
			name: "not root", wrap: nobody, flags: site, codes: some,
			limits: []string{
				"the rules of nftables and iptables, and connection tracking, because this process lacks CAP_NET_ADMIN; run guardctl as root (sudo)",
				"the answers of other nodes to probes, because", "the network namespaces of pods, and the open files of other users' processes, because",
				"the records of pods and events in /run/cni-guard, because this user is not root; run guardctl as root (sudo)",
				"the record of the installation in /run/cni-guard/record, because this user is not root",
				"the files of " + conf + " that other users may not read (20-secret.conf), because this user is not root",
			},
			unknown: []string{"ip-forwarding", "bridge-port", "conf-changes"},
		},
		{
			name: "not root, and a socket that only root can use", wrap: nobody, flags: slices.Concat(site, []string{"--runtime-endpoint", socket}), codes: some,
			limits: []string{"what the runtime says, at " + socket + ", because this user is not root"},
		},
		{name: "not root, lo down", wrap: nobody, flags: site, up: "ip link set lo down", down: "ip link set lo up", codes: []int{cli.ExitFindings}},
		{name: "not root, one check that sees all", wrap: nobody, flags: slices.Concat(site, []string{"--check", "host-loopback"}), codes: []int{cli.ExitOK}},
		{
			name: "hidden processes", wrap: append([]string{"unshare", "--mount", "sh", "-c", `mount -t proc -o hidepid=2 proc /proc; exec "$@"`, "sh"}, nobody...), flags: site, codes: some,
			limits: []string{"the processes of other users, because /proc is mounted with hidepid"},
		},
		{name: "root of the node", flags: slices.Concat(site, []string{"--root", host}), codes: some},
		{
			name: "part of the node", flags: []string{"--runtime", "containerd", "--conf-dir", "/conf", "--bin-dir", "/bin", "--root", part, "--check", "host-loopback,routing-rules,sysctl-persistence,conflist"}, codes: some,
			limits:  []string{"the node's /etc, /proc, because what --root names does not have it", "the processes of the node, because there is no procfs", "the network of the node, because"},
			unknown: []string{"host-loopback", "routing-rules"},
		},
		{
			name: "another network", wrap: []string{"unshare", "--net"}, flags: slices.Concat(site, []string{"--root", host, "--check", "host-loopback,routing-rules"}), codes: []int{cli.ExitUnknown},
			limits:  []string{"the network of the node, because this process is in net:["},
			unknown: []string{"host-loopback", "routing-rules"},
		},
		{
			name: "another network, no --root", wrap: []string{"unshare", "--net"}, flags: slices.Concat(site, []string{"--check", "routing-rules"}), codes: []int{cli.ExitOK},
			limits: []string{"the network of the first process, because this process is in net:["},
		},
	} {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) { testState(t, guardctl, s) })
	}
}

func testState(t *testing.T, guardctl string, s state) {
	if s.down != "" {
		t.Cleanup(func() { sh(t, s.down) })
	}
	if s.up != "" {
		sh(t, s.up)
	}
	run := func(format ...string) (stdout, stderr []byte) {
		t.Helper()
		words := slices.Concat(s.wrap, []string{guardctl, "doctor"}, s.flags, format)
		cmd := exec.Command(words[0], words[1:]...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		code := 0
		if err := cmd.Run(); err != nil {
			exit := new(exec.ExitError)
			if !errors.As(err, &exit) {
				t.Fatal(err)
			}
			code = exit.ExitCode()
		}
		if !slices.Contains(s.codes, code) {
			t.Fatalf("%q: exit code %d, want one of %d\n%s%s", words, code, s.codes, &out, &errs)
		}
		return out.Bytes(), errs.Bytes()
	}
	document, _ := run("-o", "json")
	r := validReport(t, document)
	metrics, _ := run("-o", "prom")
	if problems, err := promlint.New(bytes.NewReader(metrics)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, error %v\n%s", problems, err, metrics)
	}
	for _, metric := range []string{"cni_guard_check_state{", "cni_guard_findings{", "cni_guard_last_look_timestamp_seconds "} {
		if !bytes.Contains(metrics, []byte("\n"+metric)) {
			t.Errorf("no metric %s:\n%s", metric, metrics)
		}
	}
	text, _ := run()
	for _, want := range s.limits {
		has := func(l report.Limit) bool { return strings.Contains(l.String(), want) }
		if !slices.ContainsFunc(r.Limits, has) || !bytes.Contains(text, []byte("could not look at: "+want)) {
			t.Errorf("no limit %q:\n%v\n%s", want, r.Limits, text)
		}
	}
	for _, name := range s.unknown {
		for _, c := range r.Checks {
			if c.Name == name && c.State != report.Unknown {
				t.Errorf("check %s is %s: %+v", name, c.State, c)
			}
		}
	}
}

// validReport returns a report that was written as JSON: one document, which the schema
// describes, and nothing else.
func validReport(t *testing.T, text []byte) report.Report {
	t.Helper()
	document, err := validator.UnmarshalJSON(bytes.NewReader(text)) // an error if more follows
	if err != nil {
		t.Fatalf("the output is not one document: %v\n%s", err, text)
	}
	schema, err := validator.NewCompiler().Compile("../../docs/doctor.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(document); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}
