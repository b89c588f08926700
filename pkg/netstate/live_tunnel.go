// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// aFew is up to how many devices the kernel is asked for one by one. It looks
// through a whole table for each, so that beyond this one look is cheaper:
// kube-router has a device for each peer.
const aFew = 8

// TunnelDump implements View. A device that vanishes meanwhile is left out.
func (l *Live) TunnelDump(kinds ...string) (TunnelDump, error) {
	var d TunnelDump
	dumpLinks := func(d *TunnelDump) error { return l.dumpTunnelLinks(d, kinds) }
	for _, step := range []struct {
		what string
		dump func(*TunnelDump) error
	}{
		{"links", dumpLinks},
		{"addresses", l.dumpTunnelAddrs},
		{"forwarding entries", l.dumpFDB},
		{"neighbours", l.dumpNeighbours},
		{"routes", l.dumpTunnelRoutes},
	} {
		if err := step.dump(&d); err != nil {
			return TunnelDump{}, fmt.Errorf("dump %s of tunnels: %w", step.what, errnoMeaning(err))
		}
		if len(d.Links) == 0 {
			break
		}
	}
	return d, nil
}

// A question is a dump request: header and attributes.
type question struct {
	kind, answer int
	parts        []nl.NetlinkRequestData
}

// each puts a question and hands out the answers one by one. Where the dump was
// interrupted it asks again, after a call of restart.
func (l *Live) each(q question, restart func(), answer func([]byte)) error {
	_, err := settled(func() (struct{}, error) {
		restart()
		req := l.request(q.kind, unix.NLM_F_DUMP)
		for _, part := range q.parts {
			req.AddData(part)
		}
		return struct{}{}, req.ExecuteIter(unix.NETLINK_ROUTE, uint16(q.answer), func(b []byte) bool {
			answer(b)
			return true
		})
	})
	return err
}

// gather collects what parse makes of the answers to one question.
func gather[T any](l *Live, q question, parse func([]byte) []T) ([]T, error) {
	var all []T
	err := l.each(q, func() { all = nil }, func(b []byte) { all = append(all, parse(b)...) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// gatherOf does so for some devices: one by one where they are few and the kernel
// can look for them, or in one go, where parse sees to it that no other comes in.
// The question is told the index, or 0 for all.
func gatherOf[T any](l *Live, links []int, ask func(index int) question, parse func(b []byte, of func(int) bool) []T) ([]T, error) {
	if len(links) > 0 && (!l.strict || len(links) > aFew) {
		of := make(map[int]bool, len(links))
		for _, index := range links {
			of[index] = true
		}
		return gather(l, ask(0), func(b []byte) []T { return parse(b, func(i int) bool { return of[i] }) })
	}
	var all []T
	for _, index := range links {
		some, err := gather(l, ask(index), func(b []byte) []T { return parse(b, func(i int) bool { return i == index }) })
		if err != nil && !errors.Is(err, unix.ENODEV) { // the device is gone
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// indexes gives the indexes of the links that is agrees to.
func (d *TunnelDump) indexes(is func(TunnelLink) bool) []int {
	var all []int
	for _, link := range d.Links {
		if is(link) {
			all = append(all, link.Index)
		}
	}
	return slices.Compact(all)
}
