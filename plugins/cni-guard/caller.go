// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// conf says where the configuration of a call comes from. Nothing is read yet.
func (c config) conf(args *cmdArgs) checks.Conf {
	return checks.Conf{
		Dir:     c.ConfDir,
		Network: c.Network,
		Runtime: conflist.Runtime{BinDirs: filepath.SplitList(args.Path)},
		Caller:  caller,

		CRIODefaultNetwork: crioDefaultNetwork,
	}
}

// caller gives the name of the process that called. libcni starts plugins without
// a shell between, so that it is the runtime, or Multus.
func caller() (string, error) {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", os.Getppid()))
	if err != nil {
		return "", fmt.Errorf("read name of the calling process: %w", err)
	}
	return string(bytes.TrimSpace(comm)), nil
}
