// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// pings are what the statements answers and unreachable say, in their order.
type pings []ping

// A ping is what becomes of echo requests to one address.
type ping struct {
	addr    netip.Addr
	answers bool       // else it is unreachable
	after   int        // the first request that gets an answer, from 1 on
	from    netip.Addr // who answers; the zero Addr: the address itself
	over    int        // the device by which that comes in; 0: the kernel does not say
}

func (p *pings) parse(word string, words []string) (err error) {
	if len(words) == 0 {
		return fmt.Errorf("want an address")
	}
	one := ping{answers: word == "answers", after: 1}
	if one.addr, err = netip.ParseAddr(words[0]); err != nil {
		return err
	}
	for key, value := range pairs(words[1:], &err) {
		switch {
		case key == "after" && one.answers:
			one.after, err = strconv.Atoi(value)
		case key == "over":
			one.over, err = strconv.Atoi(value)
		case key == "as" && one.answers, key == "by" && !one.answers:
			one.from, err = netip.ParseAddr(value)
		default:
			err = fmt.Errorf("%s is nothing that can be said of it", key)
		}
	}
	if err == nil && !one.answers && !one.from.IsValid() {
		return fmt.Errorf("want by ADDR")
	}
	*p = append(*p, one)
	return err
}

// String prints the statements.
func (p pings) String() string {
	var b strings.Builder
	for _, one := range p {
		if !one.answers {
			fmt.Fprintf(&b, "unreachable %s by %s%s\n", one.addr, one.from, one.way())
			continue
		}
		fmt.Fprintf(&b, "answers %s", one.addr)
		if one.after > 1 {
			fmt.Fprintf(&b, " after %d", one.after)
		}
		if one.from.IsValid() {
			fmt.Fprintf(&b, " as %s", one.from)
		}
		b.WriteString(one.way() + "\n")
	}
	return b.String()
}

// way is the end of a statement, from the device on.
func (p ping) way() string {
	if p.over == 0 {
		return ""
	}
	return fmt.Sprintf(" over %d", p.over)
}
