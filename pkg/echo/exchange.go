// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// resend is the time after which a datagram is sent again.
const resend = 100 * time.Millisecond

// exchange sends a request over a stream, after its length in four bytes, and reads the
// answer, which has the same form.
func exchange(conn net.Conn, message []byte) error {
	if err := writeMessage(conn, message); err != nil {
		return err
	}
	answer, err := readMessage(conn)
	if err != nil {
		return err
	}
	if !isAnswer(answer, message) {
		return errors.New("read answer: it is not that of an echo service of cni-guard")
	}
	return nil
}

// exchangeDatagrams sends a request until its answer comes, or the deadline that ends the
// connection. Datagrams that answer something else are ignored.
func exchangeDatagrams(conn net.Conn, message []byte) error {
	received := make(chan error, 1)
	go func() { received <- awaitDatagram(conn, message) }()
	ticker := time.NewTicker(resend)
	defer ticker.Stop()
	for {
		if _, err := conn.Write(message); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			_ = conn.SetReadDeadline(time.Unix(1, 0))
			if read := <-received; read == nil { // the answer came meanwhile
				return nil
			}
			return fmt.Errorf("send request: %w", err)
		}
		select {
		case err := <-received:
			return err
		case <-ticker.C:
		}
	}
}

func awaitDatagram(conn net.Conn, message []byte) error {
	buffer := make([]byte, maxMessage)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return fmt.Errorf("receive answer: %w", err)
		}
		if isAnswer(buffer[:n], message) {
			return nil
		}
	}
}

func writeMessage(w io.Writer, message []byte) error {
	framed := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(message)), uint32(len(message)))
	if _, err := w.Write(append(framed, message...)); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}

func readMessage(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n < uint32(minMessage) || n > maxMessage {
		return nil, fmt.Errorf("read message: its length is %d", n)
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	return message, nil
}
