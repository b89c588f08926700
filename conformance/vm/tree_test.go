// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
)

// unpack returns what the kernel would make of an archive, and fails for a file
// whose directory does not come before it.
func unpack(t *testing.T, archive io.Reader) map[string]string {
	t.Helper()
	found := map[string]string{".": "folder"}
	r := cpio.NewReader(archive)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[filepath.Dir(h.Name)] != "folder" {
			t.Errorf("%s comes before its folder", h.Name)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch h.Mode &^ cpio.ModePerm &^ cpio.ModeSticky {
		case cpio.TypeDir:
			found[h.Name] = "folder"
		case cpio.TypeSymlink:
			found[h.Name] = "→ " + h.Linkname
		default:
			found[h.Name] = h.Mode.Perm().String() + " " + string(content)
		}
	}
}

func TestTree(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o755),
		os.MkdirAll(filepath.Join(dir, "conformance", "bin", "kernels"), 0o755),
		os.WriteFile(filepath.Join(dir, "deep", "program"), []byte("run"), 0o755),
		os.Symlink("../program", filepath.Join(dir, "deep", "er", "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	tree := newTree()
	for _, f := range []File{
		{Path: "/data", From: dir},
		{Path: "/bin/tool", From: filepath.Join(dir, "deep", "er", "link")}, // leads to the program
		{Path: "/lib/x/y", Text: "text"},
		{Path: "/../etc/hosts", Text: "no escape"},
	} {
		if err := tree.add(f); err != nil {
			t.Fatal(err)
		}
	}
	var archive bytes.Buffer
	if err := tree.write(&archive); err != nil {
		t.Fatal(err)
	}
	found := unpack(t, &archive)
	for path, want := range map[string]string{
		"data/deep/program":    "0755 run",
		"data/deep/er/link":    "→ ../program",
		"data/socket":          "",
		"data/conformance":     "folder",
		"data/conformance/bin": "",
		"usr/bin/tool":         "0755 run",
		"bin":                  "→ usr/bin",
		"usr/lib/x/y":          "0644 text",
		"etc/hosts":            "0644 no escape",
		"proc":                 "folder",
		"run/netns":            "folder",
	} {
		if found[path] != want {
			t.Errorf("%s is %q, want %q", path, found[path], want)
		}
	}
}

func TestTreeRefuses(t *testing.T) {
	for name, f := range map[string]File{
		"a path that is not absolute": {Path: "data", Text: "x"},
		"a file that is missing":      {Path: "/data", From: filepath.Join(t.TempDir(), "none")},
	} {
		if err := newTree().add(f); err == nil {
			t.Errorf("it takes %s", name)
		}
	}
}

func TestProgramsThatAreMissing(t *testing.T) {
	if err := newTree().programs(t.Context(), []string{"sh", "no-such-program"}); err == nil {
		t.Error("it finds no-such-program")
	}
}

func TestProgramsWithLibraries(t *testing.T) {
	tree := newTree()
	if err := tree.programs(t.Context(), []string{"sh"}); err != nil {
		t.Fatal(err)
	}
	libraries := 0
	for path := range tree {
		if ok, _ := filepath.Match("usr/lib*/*", path); ok {
			libraries++
		}
	}
	if libraries == 0 {
		t.Error("sh has no library, not even the dynamic linker")
	}
}
