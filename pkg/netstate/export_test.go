// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// The tests that need a node are in package netstate_test, as checktest imports
// this package. These are the parts that they cannot reach otherwise.

// Enter is enter.
func (n *Netns) Enter(f func() error) error { return enter(int(n.file.Fd()), f) }

// EnterDescriptor is enter for any descriptor.
func EnterDescriptor(fd int, f func() error) error { return enter(fd, f) }

// Settled is settled.
func Settled[R any](dump func() (R, error)) (R, error) { return settled(dump) }

// ForgetStrict makes the kernel answer as it does before Linux 4.20.
func (l *Live) ForgetStrict() error {
	l.strict = false
	return l.setStrict(false)
}

// Strict reports whether the kernel filters address dumps.
func (l *Live) Strict() bool { return l.strict }

// WatchRoutesNarrowly is WatchRoutes with next to no room in the kernel.
func (l *Live) WatchRoutesNarrowly(ctx context.Context) (<-chan RouteChange, error) {
	return l.watchRoutes(ctx, 1)
}

// ParseMessages gives bytes to all that read messages of the kernel.
func ParseMessages(b []byte) {
	all := func(int) bool { return true }
	parseTunnelLink(b)
	parseBridge(b)
	parseRule(b)
	for _, family := range families() {
		parseTunnelRoute(b, family, all)
		parseOwn(b, family, unix.RTN_BLACKHOLE)
		parseNeighbour(b, family, all)
	}
	parseND(b)
	new(wireGuardParser).parse(b)
	new(wireGuardParser).parsePeer(b)
	parseAllowed(b)
	socketAddr(b)
	hasLocalPort(b, 1)
	parseFlowMessage(b)
	parseLinkMessage(b)
	_, _, _ = parseAddr(b)
	for _, kind := range []uint16{unix.RTM_NEWLINK, unix.RTM_NEWADDR, unix.RTM_DELRULE, unix.RTM_NEWNETCONF} {
		_, _ = parseChange(kind, b)
	}
	_, _ = parseHop(b)
	_, _, _ = Answers(b, unix.RTM_NEWLINK, 0, func([]byte) {})
}

// TunnelRoutes returns the IPv4 routes of devices, as TunnelDump asks for them.
func (l *Live) TunnelRoutes(links ...int) ([]TunnelRoute, error) {
	return gatherOf(l, links, func(index int) question {
		return l.routeQuestion(unix.AF_INET, unix.RTN_UNICAST, index)
	}, func(b []byte, of func(int) bool) []TunnelRoute { return parseTunnelRoute(b, unix.AF_INET, of) })
}

// LinkAnswers returns how many links the kernel speaks of when it is asked for a kind.
func (l *Live) LinkAnswers(kind string) (n int, err error) {
	err = l.each(linkQuestion(kind), func() { n = 0 }, func([]byte) { n++ })
	return n, err
}

// RoutesIn returns how many routes of a family a message has.
func RoutesIn(b []byte, family uint8) int {
	return len(parseTunnelRoute(b, family, func(int) bool { return true }))
}

// FlowError is flowError.
func FlowError(err error) error { return flowError(err) }

// CanEnter is canEnter.
func CanEnter(fd int) (bool, error) { return canEnter(fd) }

// OwnIDs returns what identifies the namespace of this thread, by procfs and by a socket.
func OwnIDs() (byPath, bySocket any, err error) {
	path, err := namespaceID("/proc/thread-self/ns/net")
	if err != nil {
		return nil, nil, err
	}
	socket, err := socketID()
	return path, socket, err
}

// Patience is how long the next answer is waited for.
func (l *Live) Patience() time.Duration { return l.patience() }

// ErrCutShort is the error for a message that the kernel did not send whole.
var ErrCutShort = errCutShort

// AskNothing sends a request that the kernel does not answer.
func (l *Live) AskNothing(timeout time.Duration) error {
	return l.socket.request(question{kind: unix.NLMSG_NOOP}, 0, timeout, func([]byte) {})
}

// PortID returns the port at which other sockets of the namespace reach this one.
func (l *Live) PortID() (port uint32, err error) {
	err = l.socket.control(func(fd int) error {
		name, err := unix.Getsockname(fd)
		if err == nil {
			port = name.(*unix.SockaddrNetlink).Pid
		}
		return err
	})
	return port, err
}

// HasMessages reports whether the socket has messages that were not read.
func (l *Live) HasMessages() bool {
	return l.socket.control(func(fd int) error {
		_, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err
	}) == nil
}

// Answers reads the messages of one read of a socket that waits for the answers to the
// request of that sequence number.
func Answers(b []byte, kind int, sequence uint32, answer func([]byte)) (done, interrupted bool, err error) {
	s := &socket{sequence: sequence}
	done, err = s.answers(b, kind, &interrupted, answer)
	return done, interrupted, err
}

// Message returns a netlink message, padded to the alignment.
func Message(kind int, flags uint16, sequence uint32, payload string) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, uint16(kind))
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = append(append(b, 0, 0, 0, 0), payload...)
	return append(b, make([]byte, aligned(len(b))-len(b))...)
}

// HasLegacyChain is hasLegacyChain.
func HasLegacyChain(entries []byte, six bool, name string) bool {
	return hasLegacyChain(entries, six, name)
}

// ParseCounter is parseCounter.
func ParseCounter(file, field, text string) (uint64, error) { return parseCounter(file, field, text) }

// WatchChangesNarrowly is WatchChanges with next to no room in the kernel.
func (l *Live) WatchChangesNarrowly(ctx context.Context) (<-chan []Change, error) {
	return l.watchChanges(ctx, 1)
}
