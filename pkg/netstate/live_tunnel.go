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

// gatherOf does so for some devices, as eachOf asks.
func gatherOf[T any](l *Live, links []int, ask func(index int) question, parse func(b []byte, of func(int) bool) []T) ([]T, error) {
	var all []T
	kept := 0
	err := l.eachOf(links, ask, func(answered bool) {
		if !answered {
			all = all[:kept]
		}
		kept = len(all)
	}, func(b []byte, of func(int) bool) { all = append(all, parse(b, of)...) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachOf asks one by one where the devices are few and the kernel can look for
// them, or in one go, where answer sees to it that no other comes in. The question
// is told the index, or 0 for all. After each, and before it is asked again, done
// hears whether its answers count. It is no generic function, to be there only once.
func (l *Live) eachOf(links []int, ask func(index int) question, done func(answered bool), answer func(b []byte, of func(int) bool)) error {
	restart := func() { done(false) }
	if len(links) > 0 && (!l.strict || len(links) > aFew) {
		among := make(map[int]bool, len(links))
		for _, index := range links {
			among[index] = true
		}
		return l.each(ask(0), restart, func(b []byte) { answer(b, func(i int) bool { return among[i] }) })
	}
	for _, index := range links {
		of := func(i int) bool { return i == index }
		err := l.each(ask(index), restart, func(b []byte) { answer(b, of) })
		if err != nil && !errors.Is(err, unix.ENODEV) { // the device is gone
			return err
		}
		done(err == nil)
	}
	return nil
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
