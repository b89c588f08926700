// SPDX-License-Identifier: Apache-2.0

package tunnel

import "fmt"

// whyNot gives the meaning of type and code of an ICMP error, as a clause.
func whyNot(kind, code byte, six bool) string {
	meanings := map[byte]string{
		0: "no route to the network", 1: "no route to the host", 2: "protocol unreachable",
		4: "packet too big for the path", 9: "administratively prohibited", 10: "administratively prohibited",
		13: "administratively prohibited", // RFC 792, RFC 1812 section 5.2.7.1
	}
	exceeded := byte(timeExceeded4)
	if six {
		exceeded = timeExceeded6
		meanings = map[byte]string{ // RFC 4443, section 3.1
			0: "no route to the host", 1: "administratively prohibited", 3: "no route to the host",
			5: "source address failed policy", 6: "administratively prohibited",
		}
	}
	if kind == exceeded {
		return "time to live exceeded, which a routing loop causes"
	}
	if why, ok := meanings[code]; ok {
		return why
	}
	return fmt.Sprintf("unreachable, code %d", code)
}
