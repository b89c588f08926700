// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/bundle"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// JudgeBundle returns what guardctl doctor finds on the node, a line each. It is an error
// unless it finds the same in a bundle of the node, elsewhere. Without the guard, the
// guardctl is not one that is installed on the node.
func (s *Rig) JudgeBundle(ctx context.Context) ([]string, error) {
	n := bundle.Node{
		Guardctl: filepath.Join(s.folders.Guard, "guardctl"),
		Flags:    append(s.where(), "--record-dir", filepath.Join(s.site.Disk, "record")),
	}
	found, err := n.Judge(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, f := range found {
		lines = append(lines, f.String())
	}
	return lines, nil
}

// where returns the flags that say what doctor looks at on this node.
func (s *Rig) where() []string {
	product, confDir := "containerd", s.Runtime.Guard()["confDir"].(string)
	if selector, ok := s.Runtime.(runtimes.Selector); ok {
		product, confDir = selector.Product(), selector.ConfDir()
	}
	return []string{"--runtime", product, "--conf-dir", confDir, "--bin-dir", s.site.Bin}
}
