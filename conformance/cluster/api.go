// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// An API is the API server for one user. It is not kubectl, which costs a tenth of a
// second of CPU for each call.
type API struct {
	t      testing.TB
	server string
	token  string
	ca     string // path of the server's certificate, which the server makes at its start
	client *http.Client
}

func newAPI(t testing.TB, server, token, ca string) *API {
	return &API{t: t, server: server, token: token, ca: ca, client: &http.Client{}}
}

// ready says why the server does not serve yet.
func (a *API) ready() error {
	text, err := os.ReadFile(a.ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	a.client.CloseIdleConnections()
	a.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return a.call(context.Background(), http.MethodGet, "/readyz", "", nil, nil)
}

// A statusError is an answer of the server that is no success.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.code, e.text) }

// NotFound says whether the server answered that there is no such object.
func NotFound(err error) bool { return hasCode(err, http.StatusNotFound) }

func hasCode(err error, code int) bool {
	status := (*statusError)(nil)
	return errors.As(err, &status) && status.code == code
}

// request sends a request, and returns the body of an answer that is a success.
func (a *API) request(ctx context.Context, method, path, kind string, body any) (io.ReadCloser, error) {
	var text []byte
	switch body := body.(type) {
	case nil:
	case string:
		text = []byte(body)
	default:
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, a.server+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Accept", "application/json")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return nil, fmt.Errorf("%s %s: %w", method, path, &statusError{resp.StatusCode, strings.TrimSpace(string(said))})
}

func (a *API) call(ctx context.Context, method, path, kind string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := a.request(ctx, method, path, kind, body)
	if err != nil {
		return err
	}
	defer r.Close()
	if answer == nil {
		_, err = io.Copy(io.Discard, r)
		return err
	}
	return json.NewDecoder(r).Decode(answer)
}

// TryGet reads an object or a list.
func (a *API) TryGet(path string, answer any) error {
	return a.call(context.Background(), http.MethodGet, path, "", nil, answer)
}

// Get is TryGet for what must be there.
func (a *API) Get(path string, answer any) {
	a.t.Helper()
	if err := a.TryGet(path, answer); err != nil {
		a.t.Fatal(err)
	}
}

// Create posts an object, as JSON text or as a value.
func (a *API) Create(path string, body any) error {
	return a.call(context.Background(), http.MethodPost, path, "application/json", body, nil)
}

// MergePatch changes an object, or, with a path that ends with /status, its status.
func (a *API) MergePatch(path string, body any) error {
	return a.call(context.Background(), http.MethodPatch, path, "application/merge-patch+json", body, nil)
}

// Delete deletes an object. That there is none is no error.
func (a *API) Delete(path string) error {
	err := a.call(context.Background(), http.MethodDelete, path, "", nil, nil)
	if NotFound(err) {
		return nil
	}
	return err
}
