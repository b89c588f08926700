// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/runtimes/cri"
)

// importPause returns containerd the sandbox image. Debian's ctr serves
// containerd 2 as well. A second import changes nothing.
func (c *Containerd) importPause(ctx context.Context) error {
	archive, err := cri.PauseArchive(c.site.Pause)
	if err != nil {
		return err
	}
	file := filepath.Join(c.site.Disk, "pause.tar")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		return fmt.Errorf("import sandbox image: %w", err)
	}
	ctr := exec.CommandContext(ctx, "ctr", "--address", c.socket(), "--namespace", "k8s.io",
		"images", "import", "--snapshotter", "native", file)
	if out, err := ctr.CombinedOutput(); err != nil {
		return fmt.Errorf("import sandbox image: %w: %s", err, out)
	}
	return nil
}
