// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/bundle"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// bundled asserts, at the end of a replay, that a bundle of the node as it is then gets the
// verdict of the node from guardctl doctor.
func bundled(t *testing.T, r *rigtest.Rig) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // that of the test has ended
		defer cancel()
		guardctl := filepath.Join(rigtest.GuardDir(t), "guardctl")
		out, err := exec.CommandContext(ctx, guardctl, "bundle", "-o", file, "--runtime", "containerd", "--conf-dir", filepath.Join(r.Dir, "conf"),
			"--bin-dir", rigtest.GuardDir(t)+":"+rigtest.RefDir(t), "--record-dir", r.Dir).CombinedOutput()
		if err != nil {
			t.Fatalf("guardctl bundle: %v\n%s", err, out)
		}
		if _, err := bundle.Compare(ctx, guardctl, file, bundle.Nobody); err != nil {
			t.Error(err)
		}
	})
}
