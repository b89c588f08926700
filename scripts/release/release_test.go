// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// fake returns a release whose programs are all the loopback plugin, the smallest one with
// modules, and whose files have the given time on the disk.
func fake(t *testing.T, onDisk time.Time) release {
	t.Helper()
	program := loopback(t, "../..", t.TempDir())
	dir := t.TempDir()
	root := tagRoot(t)
	for _, arch := range architectures {
		for _, name := range archivePrograms {
			path := filepath.Join(dir, arch, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, program, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, onDisk, onDisk); err != nil {
				t.Fatal(err)
			}
		}
	}
	return release{version: "v1.2.0", time: time.Unix(1_700_000_000, 0).UTC(), programs: dir, root: root}
}

// tagRoot returns a directory with what a release reads of the repository, as it is when the
// tag v1.2.0 is set: the changelog has its section.
func tagRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"LICENSE", "README.md", "deploy"} {
		if err := os.Symlink(filepath.Join(repository(t), name), filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	changelog = bytes.Replace(changelog, []byte("\n## "), []byte("\n## v1.2.0\n\n* As of the test.\n\n## "), 1)
	if err := os.WriteFile(filepath.Join(root, "CHANGELOG.md"), changelog, 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// Everything that is published has the same bytes, whenever and wherever it is made.
func TestSameProgramsMakeSameBytes(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	if err := fake(t, time.Unix(1, 0)).all(first); err != nil {
		t.Fatal(err)
	}
	if err := fake(t, time.Now()).all(second); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(first)
	if err != nil || len(entries) != 7 {
		t.Fatalf("the release has %d files (%v), want image, two archives, chart, components, notes, checksums", len(entries), err)
	}
	for _, e := range entries {
		a, _ := os.ReadFile(filepath.Join(first, e.Name()))
		b, err := os.ReadFile(filepath.Join(second, e.Name()))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %d bytes and %d (%v)", e.Name(), len(a), len(b), err)
		}
	}
	check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = second
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum does not accept SHA256SUMS: %v\n%s", err, out)
	}
}

// loopback builds the plugin of the repository at root and returns the program.
func loopback(t *testing.T, root, out string) []byte {
	t.Helper()
	build := exec.Command(filepath.Join(root, "scripts/build.sh"), out, "plugins/loopback")
	build.Env = append(os.Environ(), "VERSION=v1.2.0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the loopback plugin: %v\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(out, "loopback"))
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// scripts/build.sh makes the same program in another directory.
func TestBuildInTwoPlaces(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "scripts", "plugins", "pkg"} {
		if out, err := exec.Command("cp", "-r", filepath.Join("../..", name), root).CombinedOutput(); err != nil {
			t.Fatalf("copy %s: %v\n%s", name, err, out)
		}
	}
	here, there := loopback(t, "../..", t.TempDir()), loopback(t, root, t.TempDir())
	if !bytes.Equal(here, there) {
		t.Errorf("two checkouts make different programs: %x and %x", sha256.Sum256(here), sha256.Sum256(there))
	}
}

func TestImage(t *testing.T) {
	out := t.TempDir()
	name, err := fake(t, time.Now()).image(out)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	extract(t, filepath.Join(out, name), dir)
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("the archive has %v, want one index (%v)", manifest, err)
	}
	if got, want := manifest.Manifests[0].Annotations["io.containerd.image.name"], imageName+":v1.2.0"; got != want {
		t.Errorf("containerd imports the image as %q, want %q", got, want)
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("the index is not valid: %v", err)
	}
	inner, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range inner.Manifests {
		platforms = append(platforms, m.Platform.String())
		img, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, img, m.Platform.Architecture)
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("the image is for %v, want %v", platforms, want)
	}
}

func checkImage(t *testing.T, img v1.Image, arch string) {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != arch || config.OS != "linux" || !slices.Equal(config.Config.Entrypoint, []string{"/cni-guard-agent"}) {
		t.Errorf("the image of %s is for %s/%s and starts %v", arch, config.OS, config.Architecture, config.Config.Entrypoint)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers (%v), want 1", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close() //nolint:errcheck // read only
	var names []string
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || !h.ModTime.Equal(time.Unix(1_700_000_000, 0)) {
			t.Errorf("%s is of %d:%d %q at %v", h.Name, h.Uid, h.Gid, h.Uname, h.ModTime)
		}
		if h.Typeflag == tar.TypeReg {
			names = append(names, fmt.Sprintf("%04o %s", h.Mode, h.Name))
		}
	}
	want := []string{"0755 cni-guard", "0755 cni-guard-agent", "0755 guardctl", "0755 loopback",
		"0644 usr/share/doc/cni-guard/LICENSE", "0644 usr/share/doc/cni-guard/sbom.spdx.json"}
	if !slices.Equal(names, want) {
		t.Errorf("the layer has\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
}

func TestArchive(t *testing.T) {
	out := t.TempDir()
	name, err := fake(t, time.Now()).archive(out, "arm64")
	if err != nil {
		t.Fatal(err)
	}
	if want := "cni-guard-v1.2.0-linux-arm64.tar.gz"; name != want {
		t.Errorf("the archive is %s, want %s", name, want)
	}
	dir := t.TempDir()
	extract(t, filepath.Join(out, name), dir)
	for _, f := range append(archivePrograms[:], "LICENSE", "README.md", "CHANGELOG.md", "cni-guard-agent.service") {
		if _, err := os.Stat(filepath.Join(dir, "cni-guard-v1.2.0-linux-arm64", f)); err != nil {
			t.Error(err)
		}
	}
}

func TestComponents(t *testing.T) {
	data, err := fake(t, time.Now()).sbom(architectures[:], archivePrograms[:])
	if err != nil {
		t.Fatal(err)
	}
	var doc spdxDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{doc.SPDXID: true}
	names := map[string]bool{}
	for _, p := range doc.Packages {
		if known[p.SPDXID] {
			t.Errorf("the identifier %s is used twice", p.SPDXID)
		}
		known[p.SPDXID], names[p.Name] = true, true
		if p.Version == "" {
			t.Errorf("%s has no version", p.Name)
		}
	}
	for _, r := range doc.Relationships {
		if !known[r.From] || !known[r.To] {
			t.Errorf("%s %s %s: one of them is not in the document", r.From, r.Type, r.To)
		}
	}
	for _, want := range []string{"guardctl", "stdlib", "github.com/vishvananda/netlink"} {
		if !names[want] {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestChartVersion(t *testing.T) {
	for in, want := range map[string]string{
		"v1.2.0": "1.2.0", "1.2.0": "1.2.0", "v1.2.0-rc.1": "1.2.0-rc.1", "v1.2.0-3-g0f8ed5f-dirty": "1.2.0-3-g0f8ed5f-dirty",
		"0f8ed5f": "0.0.0-0f8ed5f", "devel": "0.0.0-devel",
	} {
		if got := chartVersion(in); got != want {
			t.Errorf("the chart of %s has version %s, want %s", in, got, want)
		}
	}
}

// extract unpacks a tar archive, compressed or not.
func extract(t *testing.T, path, dir string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var in io.Reader = bytes.NewReader(data)
	if strings.HasSuffix(path, "gz") {
		if in, err = gzip.NewReader(in); err != nil {
			t.Fatal(err)
		}
	}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(to, 0o755)
		} else {
			content, readErr := io.ReadAll(r)
			if readErr != nil {
				t.Fatal(readErr)
			}
			err = os.WriteFile(to, content, os.FileMode(h.Mode))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNotes(t *testing.T) {
	const changelog = "# Changelog\n\nText.\n\n## Unreleased\n\n### New\n* b\n\n## v1.1.0\n\n* a\n"
	for version, want := range map[string]string{
		"v1.1.0": "* a\n", "v1.2.0-rc.1": "### New\n* b\n", "v1.1.0-3-g0f8ed5f": "### New\n* b\n", "devel": "### New\n* b\n",
	} {
		if got, err := section(changelog, version); err != nil || got != want {
			t.Errorf("the notes of %s are %q (%v), want %q", version, got, err, want)
		}
	}
	if got, err := section(changelog, "v1.2.0"); err == nil {
		t.Errorf("a release without a section has the notes %q", got)
	}
}

// A key signs the checksums, and ssh-keygen accepts them as docs/verify.md says, and nothing else.
func TestSign(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	run := func(stdin string, name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("REQUIRE_ALL") == "1" {
			t.Fatal("ssh-keygen is missing: apt-get install openssh-client")
		}
		t.Skip("ssh-keygen is missing")
	}
	const sums = "0123  file\n"
	if err := os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); err != nil {
		t.Fatal(err)
	}
	if err := run("", "../sign.sh", key, dir); err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	signers := filepath.Join(dir, "allowed_signers")
	if err := os.WriteFile(signers, append([]byte("cni-guard "), public...), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(text, namespace string) error {
		return run(text, "ssh-keygen", "-Y", "verify", "-f", signers, "-I", "cni-guard", "-n", namespace, "-s", filepath.Join(dir, "SHA256SUMS.sig"))
	}
	if err := verify(sums, "cni-guard-release"); err != nil {
		t.Error(err)
	}
	if verify("4567  file\n", "cni-guard-release") == nil {
		t.Error("the signature is accepted for other checksums")
	}
	if verify(sums, "file") == nil {
		t.Error("the signature is accepted for another purpose")
	}
}
