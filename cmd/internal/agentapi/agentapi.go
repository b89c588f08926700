// SPDX-License-Identifier: Apache-2.0

// Package agentapi is the agent's socket: HTTP with JSON over a unix socket that only root
// can open. It is no network service: with lo down, a probe by HTTP to the node's own
// address would fail, and kubelet would end the one program that can mend lo.
package agentapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/agent"
)

// Socket is the default path of the socket.
const Socket = "/run/cni-guard/agent.sock"

// SchemaVersion is the version of the answer of /v1/status. It grows when a key is removed
// or changes its meaning.
const SchemaVersion = 1

// A Status is the answer of /v1/status.
type Status struct {
	SchemaVersion int    `json:"schemaVersion"`
	Version       string `json:"version"` // of the agent
	Node          string `json:"node"`    // its name in the cluster, or the host name
	PID           int    `json:"pid"`     // in the agent's own process namespace
	agent.Status
}

// ErrNotRunning is wrapped by the error of Get and Ping if no agent listens.
var ErrNotRunning = errors.New("no agent is running on this node")

// timeout bounds a request.
const timeout = 5 * time.Second

// Handler serves /v1/status, and /healthz, which answers as long as the program does
// anything.
func Handler(status func() Status) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(status()) // the client sees that it is cut short
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		status() // it hangs if the agent's state is locked for ever
		_, _ = io.WriteString(w, "ok\n")
	})
	return mux
}

// Listen opens the socket. What an agent that was killed left of it is removed: the caller
// holds the lock of the only agent.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	old := unix.Umask(0o177) // so that the socket is never open to others, not for an instant
	l, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

// Serve answers requests until the context ends.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadTimeout: timeout, WriteTimeout: timeout, IdleTimeout: timeout}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Get returns the status of the agent that listens on a socket.
func Get(ctx context.Context, socket string) (Status, error) {
	var s Status
	err := get(ctx, socket, "/v1/status", func(body io.Reader) error { return json.NewDecoder(body).Decode(&s) })
	return s, err
}

// Ping asks the agent for a sign of life.
func Ping(ctx context.Context, socket string) error {
	return get(ctx, socket, "/healthz", func(io.Reader) error { return nil })
}

func get(ctx context.Context, socket, path string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent"+path, nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		err = fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	if err != nil {
		return fmt.Errorf("ask the agent on %s: %w", socket, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the agent on %s: it answers %s", socket, answer.Status)
	}
	if err := read(answer.Body); err != nil {
		return fmt.Errorf("read the answer of the agent on %s: %w", socket, err)
	}
	return nil
}
