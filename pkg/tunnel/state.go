// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A State is what is known of a peer from having asked it.
type State uint8

const (
	Unprobed    State = iota // nothing was sent to it, or nobody waited for the answer
	Answered                 // to the first request
	Retried                  // to a later request, but not to the first
	Silent                   // to none, in the time that there was
	Unreachable              // somebody said that the request does not get there
)

func stateNames() []string {
	return []string{"unprobed", "answered", "retried", "silent", "unreachable"}
}

// String gives the word of the documentation.
func (s State) String() string {
	if names := stateNames(); int(s) < len(names) {
		return names[s]
	}
	return "invalid"
}

// Confirms reports whether the peer is known to be there.
func (s State) Confirms() bool { return s == Answered || s == Retried }

// MarshalText gives the word of String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts the words of String.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames(), string(text))
	if i < 0 {
		return fmt.Errorf("%q is no state of a peer", text)
	}
	*s = State(i)
	return nil
}

// An Answer is what came of asking one peer. The zero Answer knows nothing.
type Answer struct {
	Peer  Peer
	State State
	RTT   time.Duration // from the request to its answer; zero where there is none
	// By is who spoke: for Answered and Retried the address that answered; for
	// Unreachable who said so, the zero Addr where it was this namespace itself;
	// for Silent an address that answered in the peer's place, if one did.
	By   netip.Addr
	Sent int    // requests that left for it
	Why  string // a clause where State does not say all: "no route to host"
}
