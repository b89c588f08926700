// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// A running is guardctl that runs beside the test.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // of standard output, or of standard error
	seen   []string
	other  *bytes.Buffer // the one of the two that is not read
	exited chan error
}

// An output is what is read of guardctl.
type output int

const (
	stdout output = iota
	stderr
	both
)

// start starts guardctl and reads its output. It is killed if a test waits for it for
// minutes.
func start(t *testing.T, read output, words ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	r := &running{t: t, cmd: exec.CommandContext(ctx, words[0], words[1:]...), lines: make(chan string, 1000), other: new(bytes.Buffer), exited: make(chan error, 1)}
	reader, writer := io.Pipe()
	r.cmd.Stdout, r.cmd.Stderr = writer, r.other
	switch read {
	case stderr:
		r.cmd.Stdout, r.cmd.Stderr = r.other, writer
	case both:
		r.cmd.Stderr = writer
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(reader); s.Scan(); {
			r.lines <- s.Text()
		}
		close(r.lines)
	}()
	go func() {
		err := r.cmd.Wait()
		_ = writer.Close()
		r.exited <- err
		cancel()
	}()
	return r
}

// await returns the next line that matches a pattern.
func (r *running) await(pattern string) string {
	r.t.Helper()
	for line := range r.lines {
		r.seen = append(r.seen, line)
		if regexp.MustCompile(pattern).MatchString(line) {
			return line
		}
	}
	r.t.Fatalf("%q ended without a line that matches %q:\n%s\n%s", r.cmd.Args, pattern, strings.Join(r.seen, "\n"), r.other)
	return ""
}

// exit returns the exit code.
func (r *running) exit() int {
	r.t.Helper()
	for line := range r.lines {
		r.seen = append(r.seen, line)
	}
	err := <-r.exited
	if exit := new(exec.ExitError); err == nil || errors.As(err, &exit) && exit.Exited() {
		return r.cmd.ProcessState.ExitCode()
	}
	r.t.Fatalf("%q: %v\n%s\n%s", r.cmd.Args, err, strings.Join(r.seen, "\n"), r.other)
	return 0
}

// confDir returns a conf dir with the guard in its only file, and a plugin directory.
func confDir(t *testing.T) (conf, bin string) {
	t.Helper()
	conf, bin = nodeDir(t, "conf"), nodeDir(t, "plugins")
	sh(t, `echo '{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"a"},{"type":"cni-guard"}]}' >"$1/10-a.conflist"`, conf)
	return conf, bin
}

const rogue = `{"cniVersion":"1.0.0","name":"b","plugins":[{"type":"b"}]}`

// With an hour between two looks, --watch sees a lo that goes down and comes up, and a file
// that comes and goes, because the kernel reports them.
func TestWatch(t *testing.T) {
	checktest.PrivateNode(t)
	conf, bin := confDir(t)
	w := start(t, stdout, installed(t), "doctor", "--watch", "--interval", "1h", "--check", "host-loopback,conflist", "--runtime", "containerd", "--conf-dir", conf, "--bin-dir", bin)
	t.Cleanup(func() { sh(t, "ip link set lo up") })
	w.await(`^Checks: 2 passed\. Exit code 0`)
	sh(t, "ip link set lo down")
	w.await(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ CG105 host-loopback: passed -> finding: node/lo is down`)
	sh(t, "ip link set lo up")
	w.await(`^\S+ CG105 host-loopback: finding -> passed: no longer: node/lo is down`)
	file := filepath.Join(conf, "05-b.conflist")
	if err := os.WriteFile(file, []byte(rogue), 0o600); err != nil {
		t.Fatal(err)
	}
	w.await(`^\S+ CG201 conflist: passed -> finding: \S+/05-b.conflist is the rogue`)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.await(`^\S+ CG201 conflist: finding -> passed: no longer: `)
	_ = w.cmd.Process.Signal(syscall.SIGINT)
	if code := w.exit(); code != cli.ExitOK {
		t.Errorf("exit code %d, want that of the last look, 0", code)
	}
}

// With -o json, standard output has one document in each line, and nothing else.
func TestWatchJSON(t *testing.T) {
	checktest.PrivateNode(t)
	conf, bin := confDir(t)
	if err := os.WriteFile(filepath.Join(conf, "05-b.conflist"), []byte(rogue), 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, stdout, installed(t), "doctor", "--watch", "--interval", "1h", "--check", "host-loopback,conflist", "--runtime", "containerd", "--conf-dir", conf, "--bin-dir", bin, "-o", "json")
	t.Cleanup(func() { sh(t, "ip link set lo up") })
	w.await(`"check":"conflist"`)
	sh(t, "ip link set lo down")
	w.await(`"check":"host-loopback","from":"passed","to":"failed"`)
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	if code := w.exit(); code != cli.ExitFindings {
		t.Errorf("exit code %d, want that of the last look, 1", code)
	}
	for _, line := range w.seen {
		var change report.Change
		if err := json.Unmarshal([]byte(line), &change); err != nil || change.Check == "" || change.Time.IsZero() {
			t.Errorf("line %q is no change: %v", line, err)
		}
	}
}

// With an hour between two looks, --wait ends when the node is well, and otherwise when the
// time is up, with the exit code of the last look.
func TestWait(t *testing.T) {
	checktest.PrivateNode(t)
	guardctl := installed(t)
	words := []string{guardctl, "doctor", "--interval", "1h", "--check", "host-loopback", "--wait"}
	t.Cleanup(func() { sh(t, "ip link set lo up") })
	sh(t, "ip link set lo down")
	w := start(t, stderr, append(words, "1h")...)
	w.await(`^guardctl: waiting, .* of 1h0m0s: Checks: 1 with findings`)
	sh(t, "ip link set lo up")
	if code := w.exit(); code != cli.ExitOK || !strings.Contains(w.other.String(), "Exit code 0") {
		t.Errorf("exit code %d, want 0 once lo is up\n%s", code, w.other)
	}
	sh(t, "ip link set lo down")
	if code := start(t, stderr, append(words, "1s")...).exit(); code != cli.ExitFindings {
		t.Errorf("exit code %d at the deadline, want 1", code)
	}
	w = start(t, stderr, append(words, "1h", "-o", "json")...)
	w.await(`waiting`)
	_ = w.cmd.Process.Signal(syscall.SIGINT)
	if code := w.exit(); code != cli.ExitFindings {
		t.Errorf("exit code %d when it is stopped, want 1", code)
	}
	validReport(t, w.other.Bytes())
}
