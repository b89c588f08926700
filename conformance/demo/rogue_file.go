// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/conformance/chain"
)

// rogueFile: a file that another network plugin left in the conf dir sorts first. The
// runtime selects it at its next start.
func rogueFile() incident {
	return incident{
		name:  "rogue-file",
		title: "A second network configuration that sorts first",
		play: func(ctx context.Context, r *rig) error {
			on, err := r.runtime(chain.Bridge(r.hostLocal()))
			if err != nil {
				return err
			}
			if _, err := r.start(ctx, on, "web-0"); err != nil {
				return err
			}
			const rogue = "05-trial.conflist"
			file := filepath.Join(r.dir, "conf", rogue)
			text := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"trial","plugins":[{"type":"bridge","bridge":"trial0","ipam":{"type":"host-local","dataDir":%q,"subnet":"10.99.0.0/24"}}]}`,
				filepath.Join(r.dir, "trial"))
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				return err
			}
			// cni-guard refuses no pod for a file that may still be being written.
			if err := os.Chtimes(file, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				return err
			}
			r.event("%s is left in the conf dir beside 10-pods.conflist", rogue)
			// The runtime still uses what it loaded, so cni-guard is called.
			_, addErr := r.start(ctx, on, "web-1")
			if r.guard != "" {
				if addErr == nil || !strings.Contains(addErr.Error(), rogue) {
					return fmt.Errorf("ADD beside %s: %w", rogue, errors.Join(addErr, errors.New("want a refusal that names the file")))
				}
				r.event("the next ADD is refused: %v", addErr)
				if err := r.quarantine(rogue); err != nil {
					return err
				}
			} else if addErr != nil {
				return addErr
			}
			if err := on.Reload(); err != nil {
				return err
			}
			r.event("the runtime restarts")
			p, err := r.start(ctx, on, "web-2")
			if err != nil {
				return err
			}
			right := strings.HasPrefix(p.addr, "10.88.0.")
			r.expect(right, "new pods get the right network", "new pods get addresses of the WRONG network, and no error")
			if r.guard != "" {
				r.Health = append([]string{"ADD is refused and names the file"}, r.Health...)
			}
			return nil
		},
	}
}

// quarantine runs the command that the refusal names.
func (r *rig) quarantine(file string) error {
	command := []string{filepath.Join(r.guard, "guardctl"), "conf", "quarantine", file, "--conf-dir", filepath.Join(r.dir, "conf"), "--runtime", "containerd"}
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
	}
	r.event("guardctl conf quarantine %s", file)
	return nil
}
