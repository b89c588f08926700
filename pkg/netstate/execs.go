// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Numbers of linux/connector.h and linux/cn_proc.h.
const (
	cnIdxProc       = 1
	cnValProc       = 1
	procCnListen    = 1
	procEventExec   = 2
	cnMsgLen        = 20
	procEventPIDAt  = cnMsgLen + 16 // after what, cpu and the time
	procEventTGIDAt = procEventPIDAt + 4
)

// WatchExecs reports the ID of each process that starts a program, until ctx ends or the
// subscription breaks, and then closes the channel. IDs that are not read in time are
// dropped. It uses the process connector of the kernel (CONFIG_PROC_EVENTS), which exists
// only in the initial network namespace, and answers only in the initial process and user
// namespaces, to CAP_NET_ADMIN: with anything else it returns an error.
func WatchExecs(ctx context.Context) (<-chan int, error) {
	file, err := openNotices(unix.NETLINK_CONNECTOR, nil, 1<<(cnIdxProc-1))
	if err != nil {
		return nil, fmt.Errorf("subscribe to programs that start: %w", err)
	}
	if own, err := os.Readlink("/proc/self/ns/pid"); err != nil || own != "pid:[4026531836]" { // PROC_PID_INIT_INO: elsewhere the request is dropped without a word
		_ = file.Close()
		return nil, errors.New("subscribe to programs that start: this process is in a PID namespace of its own")
	}
	b := make([]byte, unix.NLMSG_HDRLEN+cnMsgLen+4)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.NLMSG_DONE)
	m := b[unix.NLMSG_HDRLEN:]
	binary.NativeEndian.PutUint32(m, cnIdxProc)
	binary.NativeEndian.PutUint32(m[4:], cnValProc)
	binary.NativeEndian.PutUint16(m[16:], 4)
	binary.NativeEndian.PutUint32(m[cnMsgLen:], procCnListen)
	if err := sendNetlink(file, b); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("subscribe to programs that start: %w", err)
	}
	pids := make(chan int, watchBacklog)
	go func() {
		defer close(pids)
		readNotices(ctx, file, func() {}, func(_ noticeHeader, m []byte) bool {
			if pid, ok := execOf(m); ok {
				select {
				case pids <- pid:
				default:
				}
			}
			return true
		})
	}()
	return pids, nil
}

// execOf returns the process of an event that is about a program that was started: struct
// cn_msg, and struct proc_event in it.
func execOf(m []byte) (pid int, ok bool) {
	if len(m) < procEventTGIDAt+4 || binary.NativeEndian.Uint32(m) != cnIdxProc || binary.NativeEndian.Uint32(m[cnMsgLen:]) != procEventExec {
		return 0, false
	}
	return int(binary.NativeEndian.Uint32(m[procEventTGIDAt:])), true
}
