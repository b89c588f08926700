// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// where names the plugin directories for people.
func (r *rig) where() string { return strings.Join(r.BinDirs, ", ") }

func guardInstalled(ctx context.Context, r *rig) Result {
	path := r.find("cni-guard")
	if path == "" {
		return failed("Nothing is guarded. Run guardctl install --from FOLDER, where FOLDER has the programs of cni-guard, or name the runtime's plugin folder with --bin-dir.",
			"no cni-guard in %s", r.where())
	}
	if !executable(path) {
		return failed("A conflist with cni-guard starts no pod. chmod 0755 "+path, "%s is not executable", path)
	}
	if marker := checks.PassesThrough(r.BinDirs); marker != "" {
		return failed("Nothing is guarded, and the steps below fail for it. rm "+marker+", or run guardctl install, which removes it.",
			"%s is there, as guardctl uninstall leaves it: the plugin judges nothing", marker)
	}
	info, err := r.cni.GetVersionInfo(ctx, "cni-guard")
	if err != nil {
		return failed("A conflist with cni-guard starts no pod. Install the program that was built for this machine.", "%s does not answer VERSION: %v", path, err)
	}
	return ok("The runtime can call it.", "%s answers CNI %s", path, strings.Join(info.SupportedVersions(), ", "))
}

func guardctlInstalled(_ context.Context, r *rig) Result {
	const lost = "A lost pod would be refused all the same, but its address stays allocated: until guardctl is there with containerd, which tries again, and for good with CRI-O and podman, which do not."
	guard := r.find("cni-guard")
	if guard == "" {
		return skipped("no cni-guard")
	}
	want := filepath.Join(filepath.Dir(guard), "guardctl")
	path := want
	if _, err := os.Stat(want); err != nil {
		path = r.find("guardctl")
	}
	switch {
	case path == "":
		return failed(lost+" install -m 0755 guardctl "+filepath.Dir(want)+"/", "no guardctl in %s", r.where())
	case !executable(path):
		return failed(lost+" chmod 0755 "+path, "%s is not executable", path)
	}
	return ok("The guard finds it when a pod is lost.", "%s", path)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
