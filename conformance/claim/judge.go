// SPDX-License-Identifier: Apache-2.0

package claim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Word is the short form of a verdict.
type Word string

// The verdicts. Only Broken is bad news about the guard or the suite.
const (
	Harmed    Word = "harmed"
	NotHarmed Word = "not harmed"
	Held      Word = "held"
	Mended    Word = "mended"
	Broken    Word = "BROKEN"
	NotPlayed Word = "not played"
)

// A Verdict is what became of one scenario on one runtime.
type Verdict struct {
	Word Word   `json:"word"`
	Why  string `json:"why,omitempty"` // the harm, the reason, or what broke
}

// An Expectation is what a scenario says of itself.
type Expectation struct {
	Harms  []Claim // false without the guard
	Holds  []Claim // true with it
	Spared string  // why this runtime is not harmed; empty where it must be
	Limits []Claim // false with the guard, too: what it cannot prevent, and mends
	Limit  string  // why
}

// Without judges a run without the guard: the incident must really happen.
func Without(e Expectation, seen []Sighting, failure error) Verdict {
	if failure != nil {
		return unplayed(seen, failure)
	}
	if len(seen) == 0 {
		return Verdict{Broken, "nothing was looked at"}
	}
	if e.Spared != "" {
		if err := allHeld(seen); err != nil {
			return Verdict{Broken, fmt.Sprintf("said to do no harm here (%s), but %s", e.Spared, err)}
		}
		return Verdict{NotHarmed, e.Spared}
	}
	for _, c := range e.Harms {
		switch s := summed(seen, c); {
		case !s.seen:
			return Verdict{Broken, fmt.Sprintf("nobody looked whether %s", c)}
		case s.held:
			return Verdict{Broken, fmt.Sprintf("the incident did not happen: %s", c)}
		}
	}
	return Verdict{Harmed, untrue(seen)}
}

// With judges a run with the guard: everything looked at must be well but for its
// limits, and everything promised must have been looked at. A limit that is none
// any more must not be told to people.
func With(e Expectation, seen []Sighting, failure error) Verdict {
	if failure != nil {
		return unplayed(seen, failure)
	}
	within := func(s Sighting) bool { return slices.Contains(e.Limits, s.Claim) }
	if err := allHeld(slices.DeleteFunc(slices.Clone(seen), within)); err != nil {
		return Verdict{Broken, err.Error()}
	}
	if len(e.Holds) == 0 {
		return Verdict{Broken, "the scenario promises nothing"}
	}
	for _, c := range e.Holds {
		if !summed(seen, c).seen {
			return Verdict{Broken, fmt.Sprintf("nobody looked whether %s", c)}
		}
	}
	for _, c := range e.Limits {
		if s := summed(seen, c); !s.seen || s.held {
			return Verdict{Broken, fmt.Sprintf("said to be a limit of the guard (%s), and none: %s", e.Limit, c)}
		}
	}
	if len(e.Limits) > 0 {
		return Verdict{Mended, e.Limit}
	}
	return Verdict{Word: Held}
}

// unplayed reports what was untrue by then as well: it may be why.
func unplayed(seen []Sighting, failure error) Verdict {
	why := "the scenario could not be played: " + failure.Error()
	if text := untrue(seen); text != "" {
		why += "; by then it was " + text
	}
	return Verdict{Broken, why}
}

func allHeld(seen []Sighting) error {
	if text := untrue(seen); text != "" {
		return errors.New(text)
	}
	return nil
}

// untrue lists the claims that did not hold, each once, with what was seen.
func untrue(seen []Sighting) string {
	var lines []string
	told := map[Claim]bool{}
	for _, s := range seen {
		if s.Held || told[s.Claim] {
			continue
		}
		told[s.Claim] = true
		line := fmt.Sprintf("not so: %s", s.Claim)
		if s.Detail != "" {
			line += " (" + s.Detail + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}
