// SPDX-License-Identifier: Apache-2.0

package cri_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/cri"
	"github.com/cni-guard/cni-guard/cmd/internal/cri/critest"
)

// serve starts a runtime and returns its socket.
func serve(t *testing.T, r critest.Runtime) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cri") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { _ = r.Serve(l) }()
	return socket
}

func TestStatus(t *testing.T) {
	want := cri.Status{NetworkReady: true, Info: map[string]string{"config": `{"a":1}`, "golang": strings.Repeat("x", 1000)}}
	got, err := cri.At(serve(t, critest.Runtime{Status: want})).Status(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	want = cri.Status{Message: "Network plugin returns error: cni plugin not initialized", Info: map[string]string{}}
	got, err = cri.At(serve(t, critest.Runtime{Status: want})).Status(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSandboxes(t *testing.T) {
	want := []cri.Sandbox{{ID: "a1", Namespace: "shop", Name: "web-0"}, {ID: "b2"}}
	got, err := cri.At(serve(t, critest.Runtime{Sandboxes: want})).Sandboxes(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := cri.At(serve(t, critest.Runtime{})).Sandboxes(t.Context()); err != nil || got != nil {
		t.Errorf("of none: got %+v, %v", got, err)
	}
}

func TestLoaded(t *testing.T) {
	want := cri.Loaded{
		ConfDir: "/etc/cni/net.d", BinDirs: []string{"/opt/cni/bin"}, MaxConfNum: 1, Trouble: "cni config load failed",
		Networks: []cri.Network{{Name: "a", CNIVersion: "1.0.0", Plugins: []json.RawMessage{[]byte(`{"type":"bridge"}`)}}},
	}
	status, err := cri.At(serve(t, critest.Runtime{Loaded: &want})).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := status.Loaded(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, info := range map[string]map[string]string{
		"not containerd": {"config": "{}"},
		"no JSON":        {"cniconfig": "{"},
		"no list":        {"cniconfig": `{"Networks":[{"Config":{"Plugins":[{"Source":"{"}]}}]}`},
	} {
		_, err := cri.Status{Info: info}.Loaded()
		if err == nil || errors.Is(err, cri.ErrNotContainerd) != (name == "not containerd") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestCRIOConfig(t *testing.T) {
	const want = "[crio.network]\nnetwork_dir = \"/x\"\n"
	got, err := cri.CRIOConfig(t.Context(), serve(t, critest.Runtime{Config: want}))
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := cri.CRIOConfig(t.Context(), serve(t, critest.Runtime{})); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

// A runtime that does not answer, or answers something else, yields an error that says so.
func TestNoRuntime(t *testing.T) {
	if _, err := cri.At(filepath.Join(t.TempDir(), "none")).Status(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
	_, err := cri.At(serve(t, critest.Runtime{Fails: "unknown service runtime.v1.RuntimeService"})).Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), `status 12: "unknown service runtime.v1.RuntimeService"`) {
		t.Errorf("an old runtime: %v", err)
	}
	if _, err := cri.At(talks(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).Status(t.Context()); err == nil {
		t.Error("a server of HTTP/1 is taken for a runtime")
	}
}

// talks answers whatever comes with one text.
func talks(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Skip(err) // the path is too long here
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}()
	return filepath.Join(dir, "s")
}
