// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func FuzzParseNotice(f *testing.F) {
	f.Add(uint16(unix.RTM_NEWROUTE), []byte{2, 24, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 8, 0, 0})
	f.Add(uint16(unix.RTM_NEWADDR), []byte{2, 24, 0, 0, 1, 0, 0, 0, 8, 0, 2, 0, 10, 9, 0, 1})
	f.Add(uint16(unix.RTM_NEWNETCONF), []byte{2, 0, 0, 0, 8, 0, 1, 0, 1, 0, 0, 0, 8, 0, 2, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, kind uint16, b []byte) {
		if n, ok := parseNotice(noticeHeader{kind: kind}, b); ok && n.Kind == NoticesLost {
			t.Errorf("a message became %+v", n)
		}
	})
}

func TestParseNotice(t *testing.T) {
	for want, m := range map[string]struct {
		kind uint16
		b    []byte
	}{
		"10.8.0.0/24 table 254":                   {unix.RTM_NEWROUTE, []byte{2, 24, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 8, 0, 0}},
		"blackhole default table 254":             {unix.RTM_DELROUTE, []byte{2, 0, 0, 0, 254, 4, 0, unix.RTN_BLACKHOLE, 0, 0, 0, 0}},
		"10.9.0.1/24":                             {unix.RTM_NEWADDR, []byte{2, 24, 0, 0, 1, 0, 0, 0, 8, 0, 2, 0, 10, 9, 0, 1}},
		"100: from 10.9.0.0/24 lookup 77":         {unix.RTM_NEWRULE, append([]byte{2, 0, 24, 0, 77, 0, 0, 1, 0, 0, 0, 0, 8, 0, 2, 0, 10, 9, 0, 0, 8, 0, 6, 0}, native(100)...)},
		"0: from all fwmark 0x10 lookup 254":      {unix.RTM_DELRULE, append([]byte{2, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0, 8, 0, 10, 0}, native(16)...)},
		"10.1.0.0/16 via 10.0.0.1 dev 3 table 77": {unix.RTM_NEWROUTE, append([]byte{2, 16, 0, 0, 77, 4, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 1, 0, 0, 8, 0, 5, 0, 10, 0, 0, 1, 8, 0, 4, 0}, native(3)...)},
	} {
		n, ok := parseNotice(noticeHeader{kind: m.kind, port: 7}, m.b)
		if gone := m.kind%4 == 1; !ok || n.Object != want || n.Gone != gone || n.Port != 7 { // the second of four is DEL
			t.Errorf("%v, %+v; want %s, gone %v", ok, n, want, gone)
		}
	}
	if _, ok := parseNotice(noticeHeader{kind: unix.RTM_NEWROUTE}, []byte{2, 32, 0, 0, unix.RT_TABLE_LOCAL, 2, 0, 2, 0, 0, 0, 0}); ok {
		t.Error("a route of the table local is reported")
	}
}

func native(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// Only the start of a program is one.
func TestExecOf(t *testing.T) {
	event := func(what uint32) []byte {
		m := append(native(cnIdxProc), native(cnValProc)...)
		m = append(m, make([]byte, 12)...)
		m = append(append(m, native(what)...), make([]byte, 12)...)
		return append(append(m, native(8)...), native(7)...)
	}
	if pid, ok := execOf(event(procEventExec)); !ok || pid != 7 {
		t.Errorf("an exec is of %d, %v", pid, ok)
	}
	if _, ok := execOf(event(1)); ok {
		t.Error("a fork is an exec")
	}
	if _, ok := execOf(event(procEventExec)[:40]); ok {
		t.Error("half an event is one")
	}
}
