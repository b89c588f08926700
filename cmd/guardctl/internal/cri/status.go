// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"context"
	"errors"
	"fmt"

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
