// SPDX-License-Identifier: Apache-2.0

package site_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Each fixture is the tree of a node. The file "want" has what is found, or the
// error; "running" the sockets with a listener, one a line.
func TestFind(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(fixtures) < 10 {
		t.Fatal(fixtures, err)
	}
	for _, path := range fixtures {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			root, want := plant(t, a)
			s, err := site.Find(root, site.Overrides{})
			if got := tell(root, s, err); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Runtime classes have config directories of their own.
func TestClassDirs(t *testing.T) {
	a, err := txtar.ParseFile("testdata/containerd_v2.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root, _ := plant(t, a)
	s, err := site.Find(root, site.Overrides{})
	if err != nil || len(s.ClassDirs) != 1 || s.ClassDirs[0] != filepath.Join(root, "/etc/cni/kata.d") {
		t.Errorf("got %q, %v", s.ClassDirs, err)
	}
}

// What lies beside the upstream directory may be one as well.
func TestConfDirs(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "etc/cni/mine/10-a.conflist"), nil)
	write(t, filepath.Join(root, "etc/cni/file"), nil)
	got := strings.ReplaceAll(strings.Join(site.Site{ClassDirs: []string{"/class"}}.ConfDirs(root), " "), root, "")
	if want := strings.Join(conflist.ConfDirs(), " ") + " /etc/cni/mine /class"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// plant makes the tree, and gives what is wanted of it.
func plant(t *testing.T, a *txtar.Archive) (root, want string) {
	t.Helper()
	root, err := os.MkdirTemp("", "site") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	written := map[string][]byte{}
	for _, f := range a.Files {
		switch f.Name {
		case "want":
			want = string(f.Data)
		case "running":
			for socket := range strings.FieldsSeq(string(f.Data)) {
				listen(t, filepath.Join(root, socket))
				started(t, root, programOf(socket), nil)
			}
		case "fds": // processes: number, command line, and what descriptor 3 is
			for line := range strings.Lines(string(f.Data)) {
				words := strings.Fields(line)
				dir, last := filepath.Join(root, "proc", words[0]), len(words)-1
				write(t, filepath.Join(dir, "cmdline"), []byte(strings.Join(words[1:last], "\x00")+"\x00"))
				write(t, filepath.Join(dir, "fd/.keep"), nil)
				if err := os.Symlink(words[last], filepath.Join(dir, "fd/3")); err != nil {
					t.Fatal(err)
				}
			}
		case "cmdline", "environ": // of the process that listens, a word a line
			written[f.Name] = f.Data
		default:
			write(t, filepath.Join(root, f.Name), f.Data)
		}
	}
	if cmdline, ok := written["cmdline"]; ok {
		started(t, root, strings.TrimSpace(string(cmdline)), written["environ"])
	}
	return root, want
}

// started writes how the process was started that listens at the sockets, which is
// that of the test.
func started(t *testing.T, root, cmdline string, environ []byte) {
	t.Helper()
	dir := filepath.Join(root, "proc", strconv.Itoa(os.Getpid()))
	write(t, filepath.Join(dir, "cmdline"), []byte(strings.ReplaceAll(cmdline, "\n", "\x00")+"\x00"))
	write(t, filepath.Join(dir, "environ"), bytes.ReplaceAll(environ, []byte("\n"), []byte("\x00")))
}

// programOf returns what serves a socket.
func programOf(socket string) string {
	for _, name := range []string{"crio", "cri-dockerd"} {
		if strings.HasSuffix(socket, name+".sock") {
			return "/usr/bin/" + name
		}
	}
	return "/usr/bin/containerd"
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil && !strings.HasSuffix(path, ".keep") {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, socket string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

func tell(root string, s site.Site, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	r := s.Runtime
	text := fmt.Sprintf("runtime %s, max_conf_num %d, default network %q\nconf %s, bin %s of %s, cache %s\n%s\n",
		r.Kind, r.MaxConfNum, r.DefaultNetwork, s.ConfDir, s.BinDir, strings.Join(r.BinDirs, ":"), s.CacheDir, strings.Join(s.How, "\n"))
	if s.InternalLoopback {
		text += "calls no loopback plugin\n"
	}
	return strings.ReplaceAll(text, root, "")
}

// What the operator says beats what is found, and settles what is ambiguous.
func TestOverrides(t *testing.T) {
	a, err := txtar.ParseFile("testdata/two_run.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root, _ := plant(t, a)
	n, network := 0, "pods"
	s, err := site.Find(root, site.Overrides{
		Runtime: conflist.CRIO, ConfDir: "/c", BinDirs: []string{"/b"}, CacheDir: "/k", MaxConfNum: &n, DefaultNetwork: &network,
	})
	const want = `runtime crio, max_conf_num 0, default network "pods"
conf /c, bin /b of /b, cache /k
the runtime is CRI-O: it answers at /run/crio/crio.sock
the config directory is /c, as given on the command line
the plugin directory is /b, as given on the command line
the cache is /k, as given on the command line
max_conf_num is 0, as given on the command line
cni_default_network is "pods", as given on the command line
`
	if got := tell(root, s, err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A runtime that is named need not be found.
func TestNamed(t *testing.T) {
	for _, kind := range []conflist.Kind{conflist.Containerd, conflist.CRIO, conflist.CRIDockerd} {
		s, err := site.Find(t.TempDir(), site.Overrides{Runtime: kind})
		if err != nil || s.Runtime.Kind != kind || !strings.HasSuffix(s.ConfDir, "/etc/cni/net.d") || !strings.HasSuffix(s.BinDir, "/opt/cni/bin") {
			t.Errorf("%s: got %+v, %v", kind, s, err)
		}
	}
}

// A socket that was left behind by a runtime that stopped says nothing.
func TestStaleSocket(t *testing.T) {
	root, err := os.MkdirTemp("", "site")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	listen(t, filepath.Join(root, "run/containerd/containerd.sock"))
	write(t, filepath.Join(root, "run/crio/crio.sock"), nil)
	s, err := site.Find(root, site.Overrides{})
	if err != nil || s.Runtime.Kind != conflist.Containerd {
		t.Errorf("got %+v, %v", s, err)
	}
}

// Where two of one kind are, the directories tell which is meant.
func TestFoldersSettle(t *testing.T) {
	a, err := txtar.ParseFile("testdata/two_configured.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root, _ := plant(t, a)
	s, err := site.Find(root, site.Overrides{Runtime: conflist.Containerd, ConfDir: "/c", BinDirs: []string{"/b"}})
	if err != nil || s.ConfDir != "/c" || s.BinDir != "/b" {
		t.Errorf("got %+v, %v", s, err)
	}
}
