// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// stub writes a guardctl and gives the directory that it is in.
func stub(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "guardctl"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(ctx context.Context, binDirs string) (release.Outcome, string) {
	var stderr strings.Builder
	o := release.Start(ctx, release.Request{
		ContainerID: "a1", IfName: "eth0", Network: "pods",
		CacheDir: "/var/lib/cni", ConfDir: "/etc/cni/net.d", BinDirs: binDirs, StateDir: "/run/x", Netns: "/run/netns/a",
	}, &stderr)
	return o, stderr.String()
}

func TestStart(t *testing.T) {
	dir := stub(t, `
echo "$@" >"$(dirname "$0")/args"
echo progress >&2
cat <<'END'
{"complete": true, "source": "/var/lib/cni/results/x", "plugins": [{"type": "bridge", "result": "released"}], "left": ["a rule"]}
END
`)
	o, stderr := start(t.Context(), "/nowhere:"+dir)
	want := release.Outcome{
		Complete: true,
		Source:   "/var/lib/cni/results/x",
		Plugins:  []release.Plugin{{Type: "bridge", Result: release.Released}},
		Left:     []string{"a rule"},
	}
	if !reflect.DeepEqual(o, want) || stderr != "progress\n" {
		t.Errorf("the outcome is %+v, stderr %q, want %+v", o, stderr, want)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil {
		t.Fatal(err)
	}
	const wantArgs = "release -o json --for-runtime --container-id=a1 --ifname=eth0 --network=pods --cache-dir=/var/lib/cni --bin-dir="
	if got := string(args); !strings.HasPrefix(got, wantArgs) || !strings.HasSuffix(got, " --conf-dir=/etc/cni/net.d --state-dir=/run/x --netns=/run/netns/a\n") {
		t.Errorf("guardctl is called with %q", got)
	}
}

// Without a conf dir guardctl is left to its own.
func TestStartWithoutConfDir(t *testing.T) {
	dir := stub(t, `for a; do case $a in --conf-dir*) exit 1;; esac; done; echo '{"complete": true}'`)
	if o := release.Start(t.Context(), release.Request{BinDirs: dir}, nil); !o.Complete {
		t.Errorf("the outcome is %+v", o)
	}
}

// An outcome counts, whatever the exit status: 1 is that of a release that is
// not complete.
func TestStartIncomplete(t *testing.T) {
	dir := stub(t, `echo '{"plugins": [{"type": "portmap", "result": "failed", "note": "busy"}]}'; exit 1`)
	o, _ := start(t.Context(), dir)
	if o.Complete || o.Reason != "" || len(o.Plugins) != 1 || o.Plugins[0].Note != "busy" {
		t.Errorf("the outcome is %+v", o)
	}
}

// Where no outcome comes nothing was released, and the reason says why.
func TestStartWithoutOutcome(t *testing.T) {
	notExecutable := stub(t, "")
	if err := os.Chmod(filepath.Join(notExecutable, "guardctl"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "guardctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ dir, want string }{
		"no folder":      {"", "guardctl is not installed beside cni-guard"},
		"no guardctl":    {t.TempDir(), "guardctl is not installed beside cni-guard"},
		"a folder":       {folder, "guardctl is not installed beside cni-guard"},
		"not executable": {notExecutable, "permission denied"},
		"no interpreter": {brokenInterpreter(t), "guardctl reported no outcome"},
		"silent":         {stub(t, "exit 3"), "exit status 3"},
		"garbage":        {stub(t, "echo Segmentation fault"), "reported no outcome"},
		"two documents":  {stub(t, `echo '{"complete": true}{"complete": true}'`), "reported no outcome"},
		"an array":       {stub(t, `echo '[{"complete": true}]'`), "reported no outcome"},
		"other type":     {stub(t, `echo '{"complete": "true"}'`), "reported no outcome"},
		"null":           {stub(t, `echo null`), "reported no outcome"},
		"empty object":   {stub(t, `echo '{}'; exit 2`), "exit status 2"},
		"killed":         {stub(t, `printf '{"complete": tr'; kill -9 $$`), "killed"},
		"killed late":    {stub(t, `echo '{"complete": true}'; kill -9 $$`), "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := start(t.Context(), c.dir)
			if o.Complete || !strings.Contains(o.Reason, c.want) {
				t.Errorf("the outcome is %+v, want a reason with %q", o, c.want)
			}
			if completes(t, release.Answer(finding, advice, release.Request{}, o)) {
				t.Error("the removal is completed, though nothing was released")
			}
		})
	}
}

func brokenInterpreter(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "guardctl"), []byte("#!/nowhere/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A guardctl that hangs does not hang the plugin, nor does what it has started.
func TestStartHanging(t *testing.T) {
	dir := stub(t, `
sleep 1000 &
echo $! >"$(dirname "$0")/plugin"
echo started >&2
exec sleep 1000
`)
	t.Cleanup(func() { endPlugin(t, dir) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := release.Start(ctx, release.Request{BinDirs: dir}, cancelOnWrite(cancel))
	if o.Complete || !strings.Contains(o.Reason, "reported no outcome") {
		t.Errorf("the outcome is %+v", o)
	}
}

// endPlugin ends what the stub has started.
func endPlugin(t *testing.T, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "plugin"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// cancelOnWrite is a writer whose first line is the end of the patience.
type cancelOnWrite func()

func (c cancelOnWrite) Write(b []byte) (int, error) {
	c()
	return len(b), nil
}

// Between two directories the first counts, as with any CNI_PATH.
func TestStartOrder(t *testing.T) {
	first, second := stub(t, `echo '{"complete": true, "source": "first"}'`), stub(t, `echo '{"complete": true, "source": "second"}'`)
	if o, _ := start(t.Context(), first+":"+second); o.Source != "first" {
		t.Errorf("the outcome is %+v", o)
	}
}

func TestStartCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o, _ := start(ctx, stub(t, `echo '{"complete": true}'`)); o.Complete || o.Reason == "" {
		t.Errorf("the outcome is %+v", o)
	}
}
