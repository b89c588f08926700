// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// mirror is Debian's own; a proxy in the machine's apt.conf holds for it too.
const mirror = "http://deb.debian.org"

// suites returns the release of Debian that has the kernel, with its updates and
// security updates: Debian keeps a kernel for the whole life of a release.
func suites() map[string]string {
	return map[string]string{"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie"}
}

// Kernels names the kernels that Debian has.
func Kernels() []string { return []string{"5.10", "6.1", "6.12"} }

// Debian returns Debian's newest cloud kernel of the version, such as "6.1". It
// unpacks it into a directory of that name in cache, once: remove the directory for
// a newer one. Nothing is installed, root is not needed; apt's own lists stay
// as they are. It needs apt-get and dpkg-deb, and Debian's mirror.
func Debian(ctx context.Context, version, cache string) (Kernel, error) {
	dir := filepath.Join(cache, version)
	if _, err := os.Stat(dir); err == nil {
		return KernelIn(dir)
	}
	suite, ok := suites()[version]
	if !ok {
		return Kernel{}, fmt.Errorf("get kernel %s: Debian has %s", version, strings.Join(Kernels(), ", "))
	}
	if err := fetch(ctx, suite, cache, dir); err != nil {
		return Kernel{}, fmt.Errorf("get kernel %s of Debian %s: %w", version, suite, err)
	}
	return KernelIn(dir)
}

// fetch unpacks beside dir, and renames: what is there is whole.
func fetch(ctx context.Context, suite, cache, dir string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(cache, ".fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	a := apt{dir: work}
	if err := a.setUp(suite); err != nil {
		return err
	}
	deb, err := a.download(ctx, "linux-image-cloud-amd64")
	if err != nil {
		return err
	}
	unpacked := filepath.Join(work, "unpacked")
	if _, err := output(ctx, work, "dpkg-deb", "-x", deb, unpacked); err != nil {
		return err
	}
	if err := os.Rename(unpacked, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err // one that exists now was somebody else's who was faster
	}
	return nil
}

// output runs a program in the directory; the error has what it complained about.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr, cmd.Env = dir, &stderr, slices.Concat(os.Environ(), []string{"LC_ALL=C"})
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run %s %s: %w: %s", name, args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}
