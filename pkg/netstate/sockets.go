// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
)

// BoundUDP implements View. It reads /proc/net/udp, which needs no privilege and no module,
// as sock_diag does.
func (l *Live) BoundUDP(port uint16) (bound bool, err error) {
	for _, name := range []string{"udp", "udp6"} {
		var text []byte
		err := l.enter(func() (err error) {
			text, err = os.ReadFile("/proc/thread-self/net/" + name)
			return err
		})
		if errors.Is(err, fs.ErrNotExist) && name == "udp6" {
			continue // there is no IPv6
		}
		if err != nil {
			return false, fmt.Errorf("list UDP sockets: %w", err)
		}
		if hasLocalPort(text, port) {
			return true, nil
		}
	}
	return false, nil
}

// hasLocalPort looks for a port in the table of proc_net(5), whose second column is the
// local address and port in hexadecimal: "0100007F:0035".
func hasLocalPort(table []byte, port uint16) bool {
	for line := range bytes.Lines(table) {
		words := bytes.Fields(line)
		if len(words) < 2 {
			continue
		}
		at := bytes.LastIndexByte(words[1], ':')
		if n, err := strconv.ParseUint(string(words[1][at+1:]), 16, 16); at >= 0 && err == nil && uint16(n) == port {
			return true
		}
	}
	return false
}

// BoundUDP implements View.
func (f *Fake) BoundUDP(port uint16) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("BoundUDP"); err != nil {
		return false, err
	}
	return slices.Contains(f.sockets, port), nil
}

// parseSocket reads "udp PORT".
func (f *Fake) parseSocket(words []string) error {
	if len(words) != 2 || words[0] != "udp" {
		return fmt.Errorf("want udp PORT")
	}
	port, err := strconv.ParseUint(words[1], 10, 16)
	f.sockets = append(f.sockets, uint16(port))
	return err
}
