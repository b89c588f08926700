// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// binaryFinding looks for the guard as a runtime does: the first regular file of
// the name, whether it can be executed or not.
func binaryFinding(dirs []string) *guard.Finding {
	for _, dir := range dirs {
		path := filepath.Join(dir, conflist.GuardType)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Mode().Perm()&0o111 == 0 {
			return &guard.Finding{Object: shown(path), Problem: "cannot be executed, so that no pod can start", Remedy: "Run chmod 0755 " + shown(path) + "."}
		}
		return nil
	}
	return &guard.Finding{Object: conflist.GuardType, Problem: "is not in " + strings.Join(dirs, ", ")}
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
			Object: "loopback", Problem: fmt.Sprintf("is in no plugin folder, and %s starts no pod without it", title(kind)),
			Remedy: "Run guardctl install --loopback.",
		}}, nil
	}
	return []guard.Finding{{
		Object: shown(l.Path), Problem: fmt.Sprintf("is not the one of cni-guard: when %s deletes a pod whose namespace was lost, it takes lo of the node down", title(kind)),
		Remedy: "Run guardctl install --loopback, or set use_internal_loopback = true in containerd 2.",
	}}, nil
}
