// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Forwarding is the part of a View that tells whether packets are forwarded. Errors are
// those of View.
type Forwarding interface {
	// Forwards4 reports whether IPv4 packets that come in by a link are forwarded, which is
	// /proc/sys/net/ipv4/conf/LINK/forwarding. Name and Index of the link are used.
	Forwards4(link Link) (bool, error)
	// Forwards6 reports whether IPv6 packets are forwarded, whatever link they come in by,
	// which is /proc/sys/net/ipv6/conf/all/forwarding.
	Forwards6() (bool, error)
}

// A SysctlReader answers Forwarding from the files below /proc/sys. It is View.Sysctl.
type SysctlReader func(name string) (string, error)

var _ Forwarding = SysctlReader(nil)

// Forwards4 implements Forwarding.
func (r SysctlReader) Forwards4(link Link) (bool, error) {
	value, err := r("net/ipv4/conf/" + link.Name + "/forwarding")
	return err == nil && value != "0", err
}

// Forwards6 implements Forwarding.
func (r SysctlReader) Forwards6() (bool, error) {
	value, err := r("net/ipv6/conf/all/forwarding")
	return err == nil && value != "0", err
}

// Forwards4 implements View.
func (l *Live) Forwards4(link Link) (bool, error) {
	if on, err := l.netconf(unix.AF_INET, link.Index); err == nil {
		return on, nil
	}
	return SysctlReader(l.Sysctl).Forwards4(link)
}

// Forwards6 implements View.
func (l *Live) Forwards6() (bool, error) {
	if on, err := l.netconf(unix.AF_INET6, ConfAll); err == nil {
		return on, nil
	}
	return SysctlReader(l.Sysctl).Forwards6()
}

// netconf asks for forwarding with RTM_GETNETCONF (Linux 3.8), which takes less CPU time
// than to open, read and close the sysctl (BenchmarkNodeEnd of pkg/checks). A link without that family has none
// (inet_netconf_get_devconf).
func (l *Live) netconf(family uint8, index int) (bool, error) {
	q := question{unix.RTM_GETNETCONF, unix.RTM_NEWNETCONF, []nl.NetlinkRequestData{
		&nl.RtGenMsg{RtGenmsg: unix.RtGenmsg{Family: family}}, nl.NewRtAttr(netconfaIfindex, nl.Uint32Attr(uint32(int32(index)))),
	}}
	on := false
	err := l.ask(q, func(b []byte) error {
		for kind, value := range attributes(b[min(aligned(sizeofNetconf), len(b)):]) {
			if kind == netconfaForwarding && len(value) == 4 {
				on = number32(value) != 0
				return nil
			}
		}
		return errors.New("the answer says nothing of forwarding")
	})
	if err != nil {
		return false, fmt.Errorf("get netconf of link %d: %w", index, errnoMeaning(err))
	}
	return on, nil
}

// sizeofNetconf is the size of struct netconfmsg, one byte.
const sizeofNetconf = 1

// Forwards4 implements View.
func (f *Fake) Forwards4(link Link) (bool, error) {
	return SysctlReader(f.Sysctl).Forwards4(link)
}

// Forwards6 implements View.
func (f *Fake) Forwards6() (bool, error) { return SysctlReader(f.Sysctl).Forwards6() }

// Forwards4 implements View.
func (u Unreadable) Forwards4(Link) (bool, error) { return false, u.Err }

// Forwards6 implements View.
func (u Unreadable) Forwards6() (bool, error) { return false, u.Err }
