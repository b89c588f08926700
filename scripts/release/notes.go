// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// notes writes the section of the changelog that describes the release, and returns its name.
func (r release) notes(out string) (string, error) {
	changelog, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return "", fmt.Errorf("make the release notes: %w", err)
	}
	text, err := section(string(changelog), r.version)
	if err != nil {
		return "", fmt.Errorf("make the release notes: %w", err)
	}
	name := "cni-guard-" + r.version + "-notes.md"
	return name, write(filepath.Join(out, name), []byte("# cni-guard "+r.version+"\n\n"+text))
}

// tagged matches the name of a release, "v1.2.0": not that of a pre-release, nor what git
// describe makes of a commit after it.
var tagged = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)

// section returns the text below the heading of a version. A build that is no release has
// what is unreleased.
func section(changelog, version string) (string, error) {
	heading := version
	if !hasSection(changelog, heading) {
		if tagged.MatchString(version) {
			return "", fmt.Errorf("CHANGELOG.md has no heading \"## %s\": rename \"## Unreleased\" before you set the tag", version)
		}
		heading = "Unreleased"
	}
	_, text, found := strings.Cut("\n"+changelog, "\n## "+heading+"\n")
	if !found {
		return "", fmt.Errorf("CHANGELOG.md has no heading %q", "## "+heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return strings.TrimSpace(text) + "\n", nil
}

func hasSection(changelog, heading string) bool {
	return strings.Contains("\n"+changelog, "\n## "+heading+"\n")
}
