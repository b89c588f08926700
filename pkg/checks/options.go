// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Options are the values that checks take from the configuration beside their
// policy. DefaultOptions gives them; the zero Options is of no use.
type Options struct {
	Conflist     ConflistOptions
	PodCIDR      PodCIDROptions
	TunnelWarmup TunnelWarmupOptions
}

// DefaultOptions is what a configuration without any of them means.
func DefaultOptions() Options {
	return Options{
		Conflist:     defaultConflistOptions(),
		TunnelWarmup: defaultTunnelWarmupOptions(),
	}
}

// Of gives where guard.ParseSettings puts the options of a check, by their keys;
// nil for a check that has none.
func (o *Options) Of(check string) map[string]any {
	switch check {
	case conflistName:
		return o.Conflist.keys()
	case podCIDRName:
		return o.PodCIDR.keys()
	case tunnelWarmupName:
		return o.TunnelWarmup.keys()
	}
	return nil
}

// A Duration is a time.Duration that JSON has as text, such as "200ms".
type Duration time.Duration

// UnmarshalJSON accepts what time.ParseDuration does and is not negative.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf(`want a duration such as "200ms": %w`, err)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf(`want a duration such as "200ms": %w`, err)
	}
	if parsed < 0 {
		return fmt.Errorf("%s is negative", text)
	}
	*d = Duration(parsed)
	return nil
}

// oneOf reads a word, one of those that are valid.
func oneOf(b []byte, valid ...string) (string, error) {
	var word string
	if err := json.Unmarshal(b, &word); err != nil {
		return "", fmt.Errorf("want a word%s", guard.Suggest("", valid))
	}
	for _, v := range valid {
		if word == v {
			return word, nil
		}
	}
	return "", fmt.Errorf("%q is unknown%s", word, guard.Suggest(word, valid))
}
