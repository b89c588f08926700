// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"context"
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
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // that of the test has ended
		defer cancel()
		n := bundle.Node{
			Guardctl: filepath.Join(rigtest.GuardDir(t), "guardctl"),
			Flags: []string{
				"--runtime", "containerd", "--conf-dir", filepath.Join(r.Dir, "conf"),
				"--bin-dir", rigtest.GuardDir(t) + ":" + rigtest.RefDir(t), "--record-dir", r.Dir,
			},
		}
		if _, err := n.Judge(ctx); err != nil {
			t.Error(err)
		}
	})
}
