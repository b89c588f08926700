// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// A part is a file of an archive.
type part struct {
	tar.Header
	content []byte
}

// newBundle makes a bundle of a node and returns its files.
func newBundle(t *testing.T) []part {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "10-a.conflist")
	if err := os.WriteFile(conf, []byte(`{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"bridge"}]}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	var stdout, stderr bytes.Buffer
	if code := run(&stdout, &stderr, []string{"bundle", "-o", file, "--conf-dir", dir, "--runtime", "containerd", "--record-dir", dir}); code != cli.ExitOK {
		t.Fatalf("guardctl bundle: exit code %d\n%s", code, &stderr)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return unpack(t, content)
}

func unpack(t *testing.T, bundle []byte) (parts []part) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(bundle))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{*header, content})
	}
}

// pack returns an archive of the parts.
func pack(t *testing.T, parts ...part) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, p := range parts {
		if p.Typeflag == 0 {
			p.Typeflag = tar.TypeReg
		}
		p.Size = int64(len(p.content))
		if err := archive.WriteHeader(&p.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(p.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// judge runs doctor --bundle on a file with that content.
func judge(t *testing.T, bundle []byte) (code int, stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = run(&out, &errs, []string{"doctor", "--bundle", file, "--check", "conflist", "-o", "json"})
	return code, out.String(), errs.String()
}

// edit returns the bundle with one of its files changed, and a manifest that fits.
func edit(t *testing.T, parts []part, name string, change func([]byte) []byte) []part {
	t.Helper()
	parts = slices.Clone(parts)
	var manifest map[string]any
	if err := json.Unmarshal(parts[0].content, &manifest); err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		if parts[i].Name != name {
			continue
		}
		parts[i].content = change(parts[i].content)
		sum := sha256.Sum256(parts[i].content)
		for _, one := range manifest["files"].([]any) {
			if entry := one.(map[string]any); entry["name"] == name {
				entry["size"], entry["sha256"] = len(parts[i].content), hex.EncodeToString(sum[:])
			}
		}
	}
	if name != parts[0].Name {
		text, err := json.Marshal(manifest)
		if err != nil {
			t.Fatal(err)
		}
		parts[0].content = text
	}
	return parts
}

// A bundle that was tampered with is refused with one line that says why, and nothing on
// the standard output.
func TestTamperedBundles(t *testing.T) {
	checktest.PrivateNode(t)
	whole := newBundle(t)
	if code, stdout, stderr := judge(t, pack(t, whole...)); code == cli.ExitUsage || !strings.Contains(stdout, "CG201") || stderr != "" {
		t.Fatalf("the bundle itself gets exit code %d, %q, %q", code, stdout, stderr)
	}
	with := func(more ...part) []byte { return pack(t, append(slices.Clone(whole), more...)...) }
	named := func(name string, kind byte) part {
		return part{Header: tar.Header{Name: name, Typeflag: kind, Linkname: "/etc/shadow"}}
	}
	replaced := func(old, new string) func([]byte) []byte {
		return func(text []byte) []byte {
			if !bytes.Contains(text, []byte(old)) {
				t.Fatalf("no %q in %s", old, text)
			}
			return bytes.Replace(text, []byte(old), []byte(new), 1)
		}
	}
	conflist := ""
	for _, p := range whole {
		if strings.HasSuffix(p.Name, "10-a.conflist") {
			conflist = p.Name
		}
	}
	for name, c := range map[string]struct {
		bundle []byte
		want   string
	}{
		"a path that leads out":     {with(named("files/../../etc/passwd", tar.TypeReg)), "is not a path within the bundle"},
		"an absolute path":          {with(named("/etc/passwd", tar.TypeReg)), "is not a path within the bundle"},
		"an empty path":             {with(named("./", tar.TypeDir)), "is not a regular file"},
		"a symbolic link":           {with(named("files/etc/x", tar.TypeSymlink)), "is not a regular file"},
		"a hard link":               {with(named("files/etc/x", tar.TypeLink)), "is not a regular file"},
		"a device":                  {with(named("files/dev/x", tar.TypeBlock)), "is not a regular file"},
		"a FIFO":                    {with(named("files/x", tar.TypeFifo)), "is not a regular file"},
		"a directory":               {with(named("files/x/", tar.TypeDir)), "is not a regular file"},
		"two manifests":             {with(whole[0]), `"manifest.json" is there twice`},
		"a manifest that is second": {pack(t, append([]part{whole[1], whole[0]}, whole[2:]...)...), "the first file is"},
		"a file that is not listed": {with(part{Header: tar.Header{Name: "files/etc/x"}}), "files, and manifest.json lists"},
		"a file that is missing":    {pack(t, whole[:len(whole)-1]...), "files, and manifest.json lists"},
		"a name like a terminal's":  {with(named("x\x1b[31m/../..", tar.TypeReg)), "is not a path within"},
		"another kind":              {pack(t, edit(t, whole, "manifest.json", replaced("cni-guard-bundle", "sosreport"))...), "this is no bundle of guardctl"},
		"a newer version":           {pack(t, edit(t, whole, "manifest.json", replaced(`"schemaVersion": 1`, `"schemaVersion": 2`))...), "use that guardctl, or a newer one"},
		"an edited file":            {pack(t, edited(whole, conflist, replaced("bridge", "ptpptp"))...), "was changed"},
		"JSON of another kind":      {pack(t, edit(t, whole, "kernel.json", func([]byte) []byte { return []byte("[1]") })...), "read kernel.json"},
		"no JSON":                   {pack(t, edit(t, whole, "files.json", func([]byte) []byte { return nil })...), "read files.json"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := judge(t, c.bundle)
			if code != cli.ExitUnknown || stdout != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, %q, %q, want %q in one line", code, stdout, stderr, c.want)
			}
		})
	}
	// An edit that the manifest knows of is a bundle like any other.
	if code, stdout, _ := judge(t, pack(t, edit(t, whole, conflist, replaced("bridge", "broken"))...)); !strings.Contains(stdout, "CG201") {
		t.Errorf("with a manifest that fits: exit code %d, %s", code, stdout)
	}
}

// edited returns the bundle with one of its files changed, of which the manifest knows nothing.
func edited(parts []part, name string, change func([]byte) []byte) []part {
	parts = slices.Clone(parts)
	for i := range parts {
		if parts[i].Name == name {
			parts[i].content = change(parts[i].content)
		}
	}
	return parts
}

// A bundle that was cut anywhere, or has a wrong byte, is refused: the sums of gzip and of the
// manifest see it.
func TestDamagedBundles(t *testing.T) {
	checktest.PrivateNode(t)
	whole := pack(t, newBundle(t)...)
	const places = 20
	for i := range places {
		at := i * len(whole) / places
		if code, stdout, stderr := judge(t, whole[:at]); code != cli.ExitUnknown || stdout != "" || stderr == "" {
			t.Errorf("cut after %d of %d bytes: exit code %d, %q, %q", at, len(whole), code, stdout, stderr)
		}
		damaged := slices.Clone(whole)
		damaged[at] ^= 0x10
		if code, stdout, stderr := judge(t, damaged); at > 9 && (code != cli.ExitUnknown || stdout != "" || stderr == "") { // before are fields of gzip that mean nothing
			t.Errorf("with byte %d of %d changed: exit code %d, %q, %q", at, len(whole), code, stdout, stderr)
		}
	}
}

// Some kilobytes that unpack to gigabytes are refused, before memory is used for them.
func TestBundleBomb(t *testing.T) {
	checktest.PrivateNode(t)
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	if err := archive.WriteHeader(&tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg, Size: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil { // the archive goes no further
		t.Fatal(err)
	}
	if code, stdout, stderr := judge(t, out.Bytes()); code != cli.ExitUnknown || stdout != "" || !strings.Contains(stderr, "its files have more than") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

// Where there is no room for it, no bundle is left, neither whole nor half nor hidden, and the
// error says so.
func TestBundleWithoutRoom(t *testing.T) {
	checktest.PrivateNode(t)
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(small, unix.MNT_DETACH) })
	var stdout, stderr bytes.Buffer
	code := run(&stdout, &stderr, []string{"bundle", "-o", filepath.Join(small, "b.tar.gz"), "--conf-dir", t.TempDir(), "--runtime", "containerd"})
	left, err := os.ReadDir(small)
	if err != nil {
		t.Fatal(err)
	}
	if code != cli.ExitUnknown || stdout.Len() > 0 || !strings.Contains(stderr.String(), "no space left on device") || len(left) > 0 {
		t.Errorf("exit code %d, %q, %q, and %v is left", code, &stdout, &stderr, left)
	}
}
