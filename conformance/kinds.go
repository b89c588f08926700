// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/runtimes"
	"github.com/cni-guard/cni-guard/conformance/runtimes/containerd"
	"github.com/cni-guard/cni-guard/conformance/runtimes/crio"
	"github.com/cni-guard/cni-guard/conformance/runtimes/libcni"
	"github.com/cni-guard/cni-guard/conformance/runtimes/podman"
)

// A kind is a runtime that the suite knows. To add one, write its package below
// runtimes/ and name it in kinds.
type kind struct {
	name     string
	about    string
	needs    []need
	programs func(locations) string // directory of its own programs; nil where it is installed
	program  string                 // that must be there
	from     string                 // the script that puts it there
	version  func(programs string) (string, error)
	make     func(runtimes.Site) runtimes.Runtime
}

// A need is a program, and how to get it.
type need struct{ program, from string }

func kinds() []kind {
	const debian = "apt-get install "
	crucial := []need{{"ctr", debian + "containerd"}, {"runc", debian + "runc"}}
	return []kind{
		{
			name:    "libcni",
			about:   "libcni alone, with /proc/PID/ns/net paths as cri-dockerd passes them",
			version: libcniVersion,
			make:    libcni.New,
		},
		{
			name:    "containerd",
			about:   "containerd 1.6 of Debian, through the CRI API",
			needs:   append([]need{{"containerd", debian + "containerd"}}, crucial...),
			version: containerdVersion,
			make:    containerd.New1,
		},
		{
			name:     "containerd2",
			about:    "containerd 2.4, built by scripts/containerd.sh, through the CRI API",
			needs:    crucial,
			programs: func(f locations) string { return f.containerd2 },
			program:  "containerd",
			from:     "scripts/containerd.sh",
			version:  containerdVersion,
			make:     containerd.New2,
		},
		{
			name:     "crio",
			about:    "CRI-O 1.36, built by scripts/crio.sh, through the CRI API",
			needs:    []need{{"runc", debian + "runc"}, {"conmon", debian + "conmon"}},
			programs: func(f locations) string { return f.crio },
			program:  "crio",
			from:     "scripts/crio.sh",
			version:  crioVersion,
			make:     crio.New,
		},
		{
			name:     "podman",
			about:    "podman 4 of Debian with its CNI backend, unpacked by scripts/podman.sh",
			needs:    []need{{"runc", debian + "runc"}},
			programs: func(f locations) string { return f.podman },
			program:  "usr/bin/podman",
			from:     "scripts/podman.sh",
			version:  podmanVersion,
			make:     podman.New,
		},
	}
}

func containerdVersion(programs string) (string, error) {
	program := "containerd"
	if programs != "" {
		program = filepath.Join(programs, program)
	}
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w (scripts/containerd.sh builds containerd 2)", program, err)
	}
	// containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3
	fields := strings.Fields(string(out))
	if len(fields) < 3 {
		return "", fmt.Errorf("ask %s for its version: it says %q", program, out)
	}
	return "containerd " + strings.TrimPrefix(fields[2], "v"), nil
}

func crioVersion(programs string) (string, error) {
	program := filepath.Join(programs, "crio")
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w (scripts/crio.sh builds CRI-O)", program, err)
	}
	// crio version 1.36.3, and more lines
	line, _, _ := strings.Cut(string(out), "\n")
	version, ok := strings.CutPrefix(line, "crio version ")
	if !ok {
		return "", fmt.Errorf("ask %s for its version: it says %q", program, line)
	}
	return "CRI-O " + version, nil
}

// podmanVersion reads it off the package: podman itself needs the libraries that
// were unpacked with it.
func podmanVersion(programs string) (string, error) {
	file := filepath.Join(programs, "version")
	version, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("find version of podman: %w (scripts/podman.sh unpacks it)", err)
	}
	return "podman " + strings.TrimSpace(string(version)), nil
}

func libcniVersion(string) (string, error) {
	const module = "github.com/containernetworking/cni"
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "libcni", nil
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return "libcni " + strings.TrimPrefix(dep.Version, "v"), nil
		}
	}
	return "libcni", nil
}
