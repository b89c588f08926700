// SPDX-License-Identifier: Apache-2.0

package nodecheck

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A containerd that brings up lo itself calls no loopback plugin, even if there is one.
func TestLoopbackOfContainerd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "loopback")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for internal, want := range map[bool]checks.Loopback{true: {Internal: true}, false: {Path: path}} {
		n := &node.Node{Site: site.Site{InternalLoopback: internal, Runtime: conflist.Runtime{BinDirs: []string{dir}}}}
		if got, err := loopback(n); err != nil || got != want {
			t.Errorf("use_internal_loopback %v: %+v, error %v, want %+v", internal, got, err, want)
		}
	}
}
