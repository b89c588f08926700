// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// A port is a serial port of the guest. qemu has one end of a pair of sockets.
type port struct {
	to          io.Writer
	ours, guest *os.File
	done        chan error
}

type ports []*port

func (ps *ports) add(to io.Writer) *port {
	if to == nil {
		to = io.Discard
	}
	p := &port{to: to, done: make(chan error, 1)}
	*ps = append(*ps, p)
	return p
}

func (p *port) open() error {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make sockets: %w", err)
	}
	p.ours, p.guest = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "guest")
	return nil
}

func (ps ports) guestEnds() []*os.File {
	var files []*os.File
	for _, p := range ps {
		files = append(files, p.guest)
	}
	return files
}

// copy hands on what arrives, until qemu, the only one to have the other end
// then, closes it.
func (ps ports) copy() {
	for _, p := range ps {
		_ = p.guest.Close()
		go func() {
			_, err := io.Copy(p.to, p.ours)
			if errors.Is(err, syscall.ECONNRESET) {
				err = nil
			}
			p.done <- err
		}()
	}
}

// wait waits until all has been handed on.
func (ps ports) wait() error {
	var errs []error
	for _, p := range ps {
		if err := <-p.done; err != nil {
			errs = append(errs, fmt.Errorf("hand on what the guest wrote: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (ps ports) close() {
	for _, p := range ps {
		_ = p.ours.Close()
		_ = p.guest.Close()
	}
}
