// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A kernel that does not answer costs the timeout, and the socket still works.
func TestUnansweredRequest(t *testing.T) {
	v := view(t, sandbox(t, "silent"))
	if err := v.AskNothing(time.Millisecond); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("a request without an answer: %v, want EAGAIN", err)
	}
	if _, err := v.Link("lo"); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

// Signals interrupt the wait, as those by which the Go runtime preempts a goroutine
// do. They neither end it early nor prolong it for ever.
func TestUnansweredRequestAmongSignals(t *testing.T) {
	v := view(t, sandbox(t, "signals"))
	answer := make(chan error)
	const timeout = 50 * time.Millisecond
	began := time.Now()
	go func() { answer <- v.AskNothing(timeout) }()
	for {
		select {
		case err := <-answer:
			if took := time.Since(began); !errors.Is(err, unix.EAGAIN) || took < timeout {
				t.Errorf("after %v: %v, want EAGAIN after %v", took, err, timeout)
			}
			return
		default:
			tasks, err := os.ReadDir("/proc/self/task")
			must(t, err)
			for _, task := range tasks {
				_ = unix.Tgkill(os.Getpid(), number(t, task.Name()), unix.SIGURG) // a thread may have ended
			}
		}
	}
}

// Messages of other processes, which the owner of a pod's namespace can send without
// end, do not prolong the wait.
func TestUnansweredRequestAmongForeignMessages(t *testing.T) {
	n := sandbox(t, "flooded")
	v := view(t, n)
	_ = v.AskNothing(time.Millisecond) // the first request gives the socket its port
	port, err := v.PortID()
	must(t, err)
	must(t, n.Enter(func() error {
		sender, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer unix.Close(sender)
		for range 100 {
			if err := unix.Sendto(sender, netstate.Message(unix.NLMSG_NOOP, 0, 1, ""), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port}); err != nil {
				return err
			}
		}
		return nil
	}))
	if err := v.AskNothing(time.Microsecond); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("a request without an answer: %v, want EAGAIN", err)
	}
	if !v.HasMessages() {
		t.Error("the request read all messages, though its time was up")
	}
}

func TestCloseDuringRequest(t *testing.T) {
	before := descriptors(t)
	v, err := netstate.OpenNode()
	must(t, err)
	answer := make(chan error)
	go func() { answer <- v.AskNothing(100 * time.Millisecond) }()
	v.Close()
	<-answer // whatever it is: the request may not have begun
	if _, err := v.Link("lo"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a request after Close: %v, want %v", err, os.ErrClosed)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// Answers to an earlier request are no answers to this one.
func TestAnswers(t *testing.T) {
	const link, errorType, done = unix.RTM_NEWLINK, unix.NLMSG_ERROR, unix.NLMSG_DONE
	multi := uint16(unix.NLM_F_MULTI)
	for name, c := range map[string]struct {
		messages [][]byte
		payloads string
		done     bool
		err      error
	}{
		"one":                      {[][]byte{netstate.Message(link, 0, 7, "lo")}, "lo", true, nil},
		"of an earlier":            {[][]byte{netstate.Message(link, 0, 6, "old"), netstate.Message(link, 0, 7, "lo")}, "lo", true, nil},
		"of an earlier only":       {[][]byte{netstate.Message(errorType, 0, 6, "\xff\xff\xff\xff")}, "", false, nil},
		"many":                     {[][]byte{netstate.Message(link, multi, 7, "lo"), netstate.Message(link, multi, 7, "eth0")}, "lo eth0", false, nil},
		"the end":                  {[][]byte{netstate.Message(link, multi, 7, "lo"), netstate.Message(done, multi, 7, "\x00\x00\x00\x00")}, "lo", true, nil},
		"an error":                 {[][]byte{netstate.Message(errorType, 0, 7, "\xed\xff\xff\xff")}, "", true, unix.ENODEV},
		"an error at the end":      {[][]byte{netstate.Message(done, multi, 7, "\xed\xff\xff\xff")}, "", true, unix.ENODEV},
		"an end without a payload": {[][]byte{netstate.Message(done, multi, 7, "")}, "", true, nil},
		"another type":             {[][]byte{netstate.Message(unix.RTM_NEWADDR, 0, 7, "lo")}, "", true, nil},
		"cut short":                {[][]byte{netstate.Message(link, multi, 7, "lo")[:17]}, "", false, netstate.ErrCutShort},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			isDone, _, err := netstate.Answers(slices.Concat(c.messages...), link, 7, func(b []byte) { got = append(got, strings.TrimRight(string(b), "\x00")) })
			if strings.Join(got, " ") != c.payloads || isDone != c.done || !errors.Is(err, c.err) {
				t.Errorf("payloads %q, done %t, error %v, want %q, %t, %v", got, isDone, err, c.payloads, c.done, c.err)
			}
		})
	}
	_, interrupted, _ := netstate.Answers(netstate.Message(link, multi|unix.NLM_F_DUMP_INTR, 7, "lo"), link, 7, func([]byte) {})
	if !interrupted {
		t.Error("an interrupted dump is not noticed")
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

func TestSettled(t *testing.T) {
	trouble := errors.New("trouble")
	interrupted := fmt.Errorf("dump: %w", nl.ErrDumpInterrupted)
	for name, c := range map[string]struct {
		answers []error // of each dump in turn; the last is repeated
		calls   int
		want    error
	}{
		"at once":         {[]error{nil}, 1, nil},
		"at the third":    {[]error{interrupted, interrupted, nil}, 3, nil},
		"never":           {[]error{interrupted}, 5, nl.ErrDumpInterrupted},
		"trouble":         {[]error{trouble}, 1, trouble},
		"trouble at last": {[]error{interrupted, trouble}, 2, trouble},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			got, err := netstate.Settled(func() (int, error) {
				calls++
				return calls, c.answers[min(calls, len(c.answers))-1]
			})
			if calls != c.calls || got != c.calls || !errors.Is(err, c.want) {
				t.Errorf("%d calls, result %d, error %v; want %d calls and the last result, error %v", calls, got, err, c.calls, c.want)
			}
		})
	}
}
