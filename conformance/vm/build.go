// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// initPackage is the program that the kernel starts in the guest.
const initPackage = "github.com/cni-guard/cni-guard/conformance/vm/init"

// buildInit has the go command build init. It works in a directory of the
// conformance module; elsewhere name one that is built with Machine.Init.
func buildInit(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-o", path, initPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build init: %w: %s", err, out)
	}
	return nil
}
