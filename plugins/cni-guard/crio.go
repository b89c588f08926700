// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// crioDefaultNetwork returns the cni_default_network of the CRI-O that called, which
// is our parent: libcni starts plugins without a shell between. We see the same
// files and the same working directory. "" means that nothing sets it.
func crioDefaultNetwork() (string, error) {
	crio, err := runtimeconf.ReadProcess("/proc", os.Getppid())
	if err != nil {
		return "", err
	}
	return runtimeconf.CRIO{Process: crio}.DefaultNetwork()
}
