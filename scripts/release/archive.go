// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// archivePrograms are those of the archives. kubectl finds its plugin by that name.
var archivePrograms = [...]string{"cni-guard", "cni-guard-agent", "guardctl", "kubectl-cni_guard", "loopback"}

// archive writes the programs of one architecture and what a reader needs, and returns its name.
func (r release) archive(out, arch string) (string, error) {
	stem := fmt.Sprintf("cni-guard-%s-linux-%s", r.version, arch)
	files, err := r.binaries(arch, archivePrograms[:]...)
	if err != nil {
		return "", err
	}
	for _, text := range []string{"LICENSE", "README.md", "CHANGELOG.md", "deploy/systemd/cni-guard-agent.service"} {
		data, err := os.ReadFile(filepath.Join(r.root, text))
		if err != nil {
			return "", fmt.Errorf("read a file of the archive: %w", err)
		}
		files = append(files, file{name: filepath.Base(text), mode: 0o644, data: data})
	}
	for i := range files {
		files[i].name = stem + "/" + files[i].name
	}
	return r.compressed(out, stem+".tar.gz", files)
}

// chart writes the Helm chart, with the version of the release, and returns its name.
// Helm wants a semantic version; a build between two tags is 0.0.0-NAME.
func (r release) chart(out string) (string, error) {
	files, err := tree(filepath.Join(r.root, "deploy/helm/cni-guard"), "cni-guard")
	if err != nil {
		return "", err
	}
	version := chartVersion(r.version)
	for i, f := range files {
		if f.name == "cni-guard/Chart.yaml" {
			files[i].data = setLine(setLine(f.data, "version", version), "appVersion", fmt.Sprintf("%q", imageTag(r.version)))
		}
	}
	return r.compressed(out, "cni-guard-"+version+".tgz", files)
}

func (r release) compressed(out, name string, files []file) (string, error) {
	tar, err := pack(files, r.time)
	if err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	data, err := compress(tar)
	if err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return name, write(filepath.Join(out, name), data)
}

var semantic = regexp.MustCompile(`^v?(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)$`)

func chartVersion(version string) string {
	if m := semantic.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return "0.0.0-" + strings.TrimPrefix(notOfID.ReplaceAllString(version, "-"), "v")
}

// setLine replaces the value of a key at the first level of a YAML document.
func setLine(doc []byte, key, value string) []byte {
	lines := bytes.Split(doc, []byte("\n"))
	for i, line := range lines {
		if bytes.HasPrefix(line, []byte(key+":")) {
			lines[i] = []byte(key + ": " + value)
		}
	}
	return bytes.Join(lines, []byte("\n"))
}
