// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	patience = 2 * time.Second // per call; runtimes answer within milliseconds
	limit    = 16 << 20        // of a response, as kubelet has it
)

// A Runtime is a container runtime that serves CRI at a unix socket.
type Runtime struct{ client *http.Client }

// At returns the runtime at a socket. Nothing is opened yet.
func At(socket string) Runtime { return at(socket, false) }

// at returns the runtime, for calls over HTTP/1 or, as gRPC wants it, HTTP/2 without
// TLS.
func at(socket string, http1 bool) Runtime {
	var protocols http.Protocols
	protocols.SetHTTP1(http1)
	protocols.SetUnencryptedHTTP2(!http1)
	return Runtime{&http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			Protocols:         &protocols,
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			},
		},
	}}
}

// call makes one call of the RuntimeService and returns the message of the answer:
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
func (r Runtime) call(ctx context.Context, method string, message []byte) ([]byte, error) {
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...) // 0: not compressed
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://runtime/runtime.v1.RuntimeService/"+method, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("call %s of the runtime: %w", method, err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	answer, err := r.do(request)
	if err != nil {
		return nil, fmt.Errorf("call %s of the runtime: %w", method, err)
	}
	const prefix = 5 // a flag and the length
	if len(answer) < prefix || answer[0] != 0 || binary.BigEndian.Uint32(answer[1:]) != uint32(len(answer)-prefix) {
		return nil, fmt.Errorf("call %s of the runtime: the answer is no message of gRPC", method)
	}
	return answer[prefix:], nil
}

// do returns the body of a successful answer.
func (r Runtime) do(request *http.Request) ([]byte, error) {
	response, err := r.client.Do(request)
	var trouble *url.Error
	if errors.As(err, &trouble) {
		return nil, trouble.Err // the address says nothing
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, limit))
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers %s", response.Status)
	case request.Header.Get("TE") == "":
		return body, nil
	}
	status, message := response.Trailer.Get("Grpc-Status"), response.Trailer.Get("Grpc-Message")
	if status == "" { // an answer without a message has its status in the header
		status, message = response.Header.Get("Grpc-Status"), response.Header.Get("Grpc-Message")
	}
	if status != "0" {
		if text, err := url.PathUnescape(message); err == nil {
			message = text
		}
		return nil, fmt.Errorf("it answers with status %s: %.300q", status, message)
	}
	return body, nil
}
