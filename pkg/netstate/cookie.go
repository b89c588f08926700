// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Cookie gives the namespace's cookie (SO_NETNS_COOKIE, Linux 5.14), which is
// never given twice within one boot. Cookies have no order and no meaning
// beyond equality.
func (n *Netns) Cookie() (uint64, error) {
	if n.file == nil {
		return 0, fmt.Errorf("read cookie of %s: no namespace is open", n.Path)
	}
	defer runtime.KeepAlive(n.file) // or a collection may close it under the visit
	return cookieOf(int(n.file.Fd()))
}

func cookieOf(fd int) (cookie uint64, err error) {
	err = enter(fd, func() (err error) {
		cookie, err = cookieHere()
		return err
	})
	return cookie, err
}

// cookieHere gives the cookie of the namespace that the thread is in.
func cookieHere() (uint64, error) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(s)
	cookie, err := unix.GetsockoptUint64(s, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("get SO_NETNS_COOKIE: %w", err)
	}
	return cookie, nil
}

// BootID identifies the boot; cookies of another boot mean nothing.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
