// SPDX-License-Identifier: Apache-2.0

// Package cri asks a running container runtime about itself, over its own socket:
// what it has loaded, which is not always what lies on the disk, and which
// sandboxes it knows. It speaks gRPC by the HTTP/2 client of the standard library.
// Two calls, of which a few fields are read, need neither grpc-go nor the packages
// of Kubernetes, which would double the size of guardctl (docs/architecture.md).
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

	"google.golang.org/protobuf/encoding/protowire"
)

// A Status is what a runtime says of itself (CRI v1, StatusResponse).
type Status struct {
	NetworkReady bool
	Message      string // why the network is not ready
	// Info is what the runtime adds for people, mostly JSON; each runtime has keys
	// of its own.
	Info map[string]string
}

// Status asks for the status, verbosely.
func (r Runtime) Status(ctx context.Context) (Status, error) {
	answer, err := r.call(ctx, "Status", []byte{0x08, 1}) // verbose = true
	if err != nil {
		return Status{}, err
	}
	return readStatus(answer)
}

// readStatus reads a StatusResponse.
func readStatus(answer []byte) (Status, error) {
	s := Status{Info: map[string]string{}}
	err := each(answer, func(field protowire.Number, value []byte) error {
		switch field {
		case 1:
			return each(value, func(field protowire.Number, condition []byte) error {
				return s.readCondition(field, condition)
			})
		case 2:
			var entry [3]string // the key is field 1, the value 2
			err := each(value, func(field protowire.Number, text []byte) error {
				if field < 3 {
					entry[field] = string(text)
				}
				return nil
			})
			s.Info[entry[1]] = entry[2]
			return err
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("read status of the runtime: %w", err)
	}
	return s, nil
}

// readCondition reads a RuntimeCondition: type, status, reason, message.
func (s *Status) readCondition(field protowire.Number, condition []byte) error {
	if field != 1 {
		return nil
	}
	var name, message string
	ready := false
	err := each(condition, func(field protowire.Number, value []byte) error {
		switch field {
		case 1:
			name = string(value)
		case 2:
			ready = len(value) == 1 && value[0] == 1
		case 4:
			message = string(value)
		}
		return nil
	})
	if name == "NetworkReady" {
		s.NetworkReady, s.Message = ready, message
	}
	return err
}

// A Sandbox is a pod sandbox that a runtime knows, whether it runs or not.
type Sandbox struct {
	ID        string
	Namespace string
	Name      string
}

// Sandboxes asks for all sandboxes.
func (r Runtime) Sandboxes(ctx context.Context) ([]Sandbox, error) {
	answer, err := r.call(ctx, "ListPodSandbox", nil)
	if err != nil {
		return nil, err
	}
	return readSandboxes(answer)
}

// readSandboxes reads a ListPodSandboxResponse.
func readSandboxes(answer []byte) (all []Sandbox, _ error) {
	err := each(answer, func(field protowire.Number, item []byte) error {
		if field != 1 {
			return nil
		}
		var s Sandbox
		err := each(item, func(field protowire.Number, value []byte) error {
			switch field {
			case 1:
				s.ID = string(value)
			case 2:
				return each(value, func(field protowire.Number, text []byte) error {
					switch field {
					case 1:
						s.Name = string(text)
					case 3:
						s.Namespace = string(text)
					}
					return nil
				})
			}
			return nil
		})
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sandboxes of the runtime: %w", err)
	}
	return all, nil
}

// each calls a function for each field of a message. Of a number it hands on the
// bytes of its encoding, which is one byte for what is less than 128.
func each(message []byte, do func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		n = protowire.ConsumeFieldValue(field, kind, message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		value := message[:n]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(message)
		} else if kind == protowire.StartGroupType {
			return errors.New("it has a group, which no message of CRI has")
		}
		if err := do(field, value); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}

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
