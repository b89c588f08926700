// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// PassThroughMarker is the name of the file beside cni-guard that makes it judge
// nothing: ADD hands the result on, and every other verb succeeds. guardctl
// uninstall makes it, and its modification time is that of the last call.
const PassThroughMarker = "cni-guard.pass-through"

// PassesThrough returns the path of the marker beside the cni-guard that a runtime
// finds in its plugin folders, and "" where there is none.
func PassesThrough(binDirs []string) string {
	program, _ := findGuard(binDirs)
	if program == "" {
		return ""
	}
	// The plugin looks where its own program is, behind a link.
	if target, err := filepath.EvalSymlinks(program); err == nil {
		program = target
	}
	marker := filepath.Join(filepath.Dir(program), PassThroughMarker)
	if _, err := os.Stat(marker); err != nil {
		return ""
	}
	return marker
}

// findGuard finds the guard as a runtime does: the first regular file of the name,
// whether it can be executed or not.
func findGuard(dirs []string) (string, fs.FileMode) {
	for _, dir := range dirs {
		path := filepath.Join(dir, conflist.GuardType)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, info.Mode()
		}
	}
	return "", 0
}

// programFindings looks at the program of the guard. A marker beside it means
// nothing where no list names the guard: it was uninstalled.
func programFindings(dirs []string, named bool) []guard.Finding {
	path, mode := findGuard(dirs)
	switch {
	case path == "":
		remedy := installRemedy
		if named {
			remedy = "Run guardctl install --from FOLDER, where FOLDER has the programs of cni-guard."
		}
		return []guard.Finding{{Object: conflist.GuardType, Problem: "is not in " + strings.Join(dirs, ", "), Remedy: remedy}}
	case mode.Perm()&0o111 == 0:
		return []guard.Finding{{Object: assess.QuoteName(path), Problem: "cannot be executed, so that no pod can start", Remedy: "Run chmod 0755 " + assess.QuoteName(path) + "."}}
	}
	if marker := PassesThrough(dirs); marker != "" && named {
		return []guard.Finding{{
			Object:  assess.QuoteName(marker),
			Problem: fmt.Sprintf("is there, so that %s judges nothing: no pod is guarded, though the configuration names the guard; guardctl uninstall left it", assess.QuoteName(path)),
			Remedy:  "Run guardctl install, which removes it, or rm " + assess.QuoteName(marker) + ". If the guard is to go, take its entry out of the configuration.",
		}}
	}
	return nil
}

// loopbackFinding looks at the plugin that takes the node's lo down on DEL, where
// the runtime calls it.
func loopbackFinding(t *Target, kind conflist.Kind) ([]guard.Finding, error) {
	if kind == conflist.CRIO {
		return nil, nil // ocicni 0.4.0 and newer leave lo alone
	}
	if t.Conf.Loopback == nil {
		return nil, errors.New("look at the loopback plugin: nobody told which that is")
	}
	l, err := t.Conf.Loopback()
	switch {
	case err != nil:
		return nil, fmt.Errorf("look at the loopback plugin: %w", err)
	case l.Internal || l.Ours:
		return nil, nil
	case l.Path == "":
		return []guard.Finding{{
			Object: "loopback", Problem: fmt.Sprintf("is in no plugin folder, and %s starts no pod without it", kind.DisplayName()),
			Remedy: "Run guardctl install --loopback.",
		}}, nil
	}
	return []guard.Finding{{
		Object: assess.QuoteName(l.Path), Problem: fmt.Sprintf("is not the one of cni-guard: when %s deletes a pod whose namespace was lost, it takes lo of the node down", kind.DisplayName()),
		Remedy: "Run guardctl install --loopback, or set use_internal_loopback = true in containerd 2.",
	}}, nil
}
