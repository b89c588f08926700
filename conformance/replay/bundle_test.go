// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// bundled asserts, at the end of a replay, that a bundle of the node as it is then gets the
// verdict of the node from guardctl doctor.
func bundled(t *testing.T, r *rigtest.Rig) {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // that of the test has ended
		defer cancel()
		guardctl := filepath.Join(rigtest.GuardDir(t), "guardctl")
		out, err := exec.CommandContext(ctx, guardctl, "bundle", "-o", bundle, "--runtime", "containerd", "--conf-dir", filepath.Join(r.Dir, "conf"),
			"--bin-dir", rigtest.GuardDir(t)+":"+rigtest.RefDir(t), "--record-dir", r.Dir).CombinedOutput()
		if err != nil {
			t.Fatalf("guardctl bundle: %v\n%s", err, out)
		}
		judged, err := exec.CommandContext(ctx, guardctl, "doctor", "--bundle", bundle, "-o", "json").Output()
		if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 2) {
			t.Fatalf("guardctl doctor --bundle: %v\n%s", err, judged)
		}
		node, elsewhere := verdicts(t, inBundle(t, bundle, "report.json")), verdicts(t, judged)
		maps.DeleteFunc(elsewhere, func(check, _ string) bool { return node[check] == late })
		maps.DeleteFunc(node, func(_, verdict string) bool { return verdict == late })
		if len(node) == 0 || !maps.Equal(node, elsewhere) {
			t.Errorf("doctor says of the bundle\n%v\nand said of the node\n%v", elsewhere, node)
		}
	})
}

// late is the verdict of a check that had no time: a busy machine is none of the bundle's.
const late = "late"

// verdicts returns the state of each check of a report, with what it found.
func verdicts(t *testing.T, report []byte) map[string]string {
	t.Helper()
	var r struct {
		Checks []struct {
			Name, State, Error, Skipped string
			Findings                    []json.RawMessage
		}
	}
	if err := json.Unmarshal(report, &r); err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	all := map[string]string{}
	for _, c := range r.Checks {
		if strings.Contains(c.Error, "no answer in time") {
			all[c.Name] = late
			continue
		}
		text := c.State + " " + c.Skipped // the error of an unknown names the time, or what was not recorded in time
		for _, f := range c.Findings {
			var finding struct{ Object, Problem string }
			if err := json.Unmarshal(f, &finding); err != nil {
				t.Fatal(err)
			}
			text += finding.Object + " " + finding.Problem + "; "
		}
		all[c.Name] = text
	}
	return all
}

// inBundle returns a file of a bundle.
func inBundle(t *testing.T, bundle, name string) []byte {
	t.Helper()
	file, err := os.Open(bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(zip)
	for {
		header, err := archive.Next()
		if err != nil {
			t.Fatalf("find %s in the bundle: %v", name, err)
		}
		if header.Name == name {
			content, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
	}
}
