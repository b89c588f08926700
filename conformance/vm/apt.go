// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// apt is apt-get with lists and a cache of its own in dir, so that it needs no
// root, and sees the suites that it is told to and no others.
type apt struct{ dir string }

func (a apt) setUp(suite string) error {
	for _, dir := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, dir), 0o755); err != nil {
			return err
		}
	}
	sources := fmt.Sprintf("deb %[1]s/debian %[2]s main\ndeb %[1]s/debian-security %[2]s-security main\n", mirror, suite)
	return os.WriteFile(filepath.Join(a.dir, "sources.list"), []byte(sources), 0o644)
}

// options keeps apt to its directory. The sandbox user could not write there.
func (a apt) options() []string {
	return []string{
		"-q", "-o", "Dir::Etc::SourceList=" + filepath.Join(a.dir, "sources.list"), "-o", "Dir::Etc::SourceParts=-",
		"-o", "Dir::State::Lists=" + filepath.Join(a.dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(a.dir, "cache"),
		"-o", "Acquire::Languages=none", "-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		"-o", "APT::Sandbox::User=", "-o", "APT::Architecture=amd64", "-o", "Acquire::Retries=3",
	}
}

// download returns the path of the package that the metapackage depends on.
func (a apt) download(ctx context.Context, meta string) (string, error) {
	if _, err := output(ctx, a.dir, "apt-get", append([]string{"update"}, a.options()...)...); err != nil {
		return "", err
	}
	said, err := output(ctx, a.dir, "apt-cache", append([]string{"depends", "--important", meta}, a.options()...)...)
	if err != nil {
		return "", err
	}
	_, name, ok := strings.Cut(said, "Depends: ")
	if !ok {
		return "", fmt.Errorf("find kernel: %s depends on nothing: %q", meta, said)
	}
	name, _, _ = strings.Cut(name, "\n")
	if _, err := output(ctx, a.dir, "apt-get", append([]string{"download", strings.TrimSpace(name)}, a.options()...)...); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(a.dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("find package %s: apt-get left %q", name, debs)
	}
	return debs[0], nil
}
