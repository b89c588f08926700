// SPDX-License-Identifier: Apache-2.0

package claim_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/claim"
)

func saw(c claim.Claim, held bool) claim.Sighting { return claim.Sighting{Claim: c, Held: held} }

func TestWithout(t *testing.T) {
	harmful := claim.Expectation{Harms: []claim.Claim{claim.NodeLo, claim.PodGone}}
	spared := claim.Expectation{Harms: harmful.Harms, Spared: "it pins"}
	for name, test := range map[string]struct {
		e    claim.Expectation
		seen []claim.Sighting
		err  error
		word claim.Word
		why  string
	}{
		"all harm":            {harmful, []claim.Sighting{saw(claim.NodeLo, false), saw(claim.PodGone, false)}, nil, claim.Harmed, "lo is up"},
		"half of the harm":    {harmful, []claim.Sighting{saw(claim.NodeLo, false), saw(claim.PodGone, true)}, nil, claim.Broken, "did not happen: the runtime removes"},
		"one pod of two":      {harmful, []claim.Sighting{saw(claim.NodeLo, false), saw(claim.PodGone, true), saw(claim.PodGone, false)}, nil, claim.Harmed, ""},
		"not looked at":       {harmful, []claim.Sighting{saw(claim.NodeLo, false)}, nil, claim.Broken, "nobody looked"},
		"nothing looked at":   {spared, nil, nil, claim.Broken, "nothing was looked at"},
		"could not be played": {harmful, []claim.Sighting{saw(claim.NodeLo, false), saw(claim.PodGone, false)}, errors.New("no containerd"), claim.Broken, "no containerd"},
		"spared":              {spared, []claim.Sighting{saw(claim.NodeLo, true)}, nil, claim.NotHarmed, "it pins"},
		"not spared":          {spared, []claim.Sighting{saw(claim.NodeLo, false)}, nil, claim.Broken, "it pins"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, claim.Without(test.e, test.seen, test.err), test.word, test.why)
		})
	}
}

func TestWith(t *testing.T) {
	e := claim.Expectation{Holds: []claim.Claim{claim.NodeLo}}
	limited := claim.Expectation{Holds: e.Holds, Limits: []claim.Claim{claim.RightNetwork}, Limit: "it is not called"}
	for name, test := range map[string]struct {
		e    claim.Expectation
		seen []claim.Sighting
		err  error
		word claim.Word
		why  string
	}{
		"holds":                 {e, []claim.Sighting{saw(claim.NodeLo, true)}, nil, claim.Held, ""},
		"does not hold":         {e, []claim.Sighting{saw(claim.NodeLo, false)}, nil, claim.Broken, "not so: the node's lo is up"},
		"held once only":        {e, []claim.Sighting{saw(claim.NodeLo, true), saw(claim.NodeLo, false)}, nil, claim.Broken, "lo"},
		"something else":        {e, []claim.Sighting{saw(claim.NodeLo, true), saw(claim.PodGone, false)}, nil, claim.Broken, "removes the pod"},
		"not looked at":         {e, []claim.Sighting{saw(claim.PodGone, true)}, nil, claim.Broken, "nobody looked"},
		"promises nothing":      {claim.Expectation{}, []claim.Sighting{saw(claim.NodeLo, true)}, nil, claim.Broken, "promises nothing"},
		"could not be played":   {e, []claim.Sighting{saw(claim.NodeLo, true)}, errors.New("no runc"), claim.Broken, "no runc"},
		"not played to the end": {e, []claim.Sighting{saw(claim.NodeLo, false)}, errors.New("no runc"), claim.Broken, "no runc; by then it was not so: the node's lo is up"},

		"limit":                    {limited, []claim.Sighting{saw(claim.NodeLo, true), saw(claim.RightNetwork, false)}, nil, claim.Mended, "it is not called"},
		"limit that is none":       {limited, []claim.Sighting{saw(claim.NodeLo, true), saw(claim.RightNetwork, true)}, nil, claim.Broken, "it is not called"},
		"limit not looked at":      {limited, []claim.Sighting{saw(claim.NodeLo, true)}, nil, claim.Broken, "and none: the next pod"},
		"limit and something else": {limited, []claim.Sighting{saw(claim.NodeLo, true), saw(claim.RightNetwork, false), saw(claim.PodGone, false)}, nil, claim.Broken, "removes the pod"},
		"limit but no promise":     {limited, []claim.Sighting{saw(claim.RightNetwork, false)}, nil, claim.Broken, "nobody looked"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, claim.With(test.e, test.seen, test.err), test.word, test.why)
		})
	}
}

func want(t *testing.T, got claim.Verdict, word claim.Word, why string) {
	t.Helper()
	if got.Word != word || !strings.Contains(got.Why, why) {
		t.Errorf("got %q (%s), want %q with %q", got.Word, got.Why, word, why)
	}
}
