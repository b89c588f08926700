// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

type word string

// loopOptions has an option of each kind.
type loopOptions struct {
	Allow []string
	Max   int
	Least int
	Wait  time.Duration
	Name  string
	Scope word
}

func (o *loopOptions) Keys() []guard.Option {
	noSlash := func(text string) (string, error) {
		if strings.Contains(text, "/") {
			return "", fmt.Errorf("%q has a slash", text)
		}
		return text, nil
	}
	return []guard.Option{
		{Key: "allow", Value: guard.List(&o.Allow, nil, "a.conf", noSlash)},
		{Key: "max", Value: guard.Int(&o.Max, 7, 1, 10)},
		{Key: "least", Value: guard.Int(&o.Least, 1, 0, math.MaxInt)},
		{Key: "wait", Value: guard.Duration(&o.Wait, 5*time.Minute, time.Second, time.Hour)},
		{Key: "name", Value: guard.Text(&o.Name, "")},
		{Key: "scope", Value: guard.OneOf(&o.Scope, "this", "all")},
	}
}

func TestOptionDefaults(t *testing.T) {
	o := guard.OptionsOf[*loopOptions](nil)
	if o.Allow != nil || o.Max != 7 || o.Least != 1 || o.Wait != 5*time.Minute || o.Name != "" || o.Scope != "this" {
		t.Errorf("defaults are %+v", o)
	}
	var texts []string
	for _, option := range o.Keys() {
		texts = append(texts, option.Key+" "+option.Value.Default())
	}
	if want := []string{"allow []", "max 7", "least 1", `wait "5m"`, `name ""`, `scope "this"`}; !slices.Equal(texts, want) {
		t.Errorf("defaults are %q, want %q", texts, want)
	}
	var at time.Duration
	for d, want := range map[time.Duration]string{200 * time.Millisecond: `"200ms"`, 90 * time.Second: `"1m30s"`, 10 * time.Second: `"10s"`, 0: `"0s"`} {
		if got := guard.Duration(&at, d, 0, time.Hour).Default(); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
	var kinds []string
	if got := guard.List(&kinds, []string{"ipip"}, "", nil).Default(); got != `["ipip"]` {
		t.Errorf("a list is %s", got)
	}
}

func TestParseSettingsOptions(t *testing.T) {
	for name, c := range map[string]struct{ check, want string }{
		"key":                {`{"mx": 3}`, `key "mx" is unknown; did you mean "max"?`},
		"far-off key":        {`{"something": 3}`, `key "something" is unknown; valid are allow, least, max, name, policy, repair, scope, wait`},
		"null":               {`{"allow": null}`, `"allow": want a value, not null`},
		"list":               {`{"allow": "a"}`, `"allow": want a list such as ["a.conf"]`},
		"element":            {`{"allow": ["a", "b/c"]}`, `"allow": "b/c" has a slash`},
		"number, too small":  {`{"max": 0}`, `"max": want a whole number from 1 to 10, not 0`},
		"number, too large":  {`{"max": 11}`, `from 1 to 10, not 11`},
		"number, fraction":   {`{"least": 1.5}`, `"least": want a whole number from 0, not 1.5`},
		"number, text":       {`{"least": "1"}`, `"least": want a whole number from 0, not "1"`},
		"duration":           {`{"wait": 5}`, `"wait": want a duration such as "200ms"`},
		"duration, word":     {`{"wait": "soon"}`, `"wait": want a duration such as "200ms"`},
		"duration, short":    {`{"wait": "1ms"}`, `"wait": 1ms is not from 1s to 1h0m0s`},
		"duration, long":     {`{"wait": "2h"}`, `"wait": 2h0m0s is not from 1s to 1h0m0s`},
		"duration, negative": {`{"wait": "-1s"}`, `"wait": -1s is negative`},
		"text":               {`{"name": 7}`, `"name": want a text in quotes`},
		"word":               {`{"scope": "al"}`, `"scope": "al" is unknown; did you mean "all"?`},
		"word, number":       {`{"scope": 1}`, `"scope": want a word; valid are this, all`},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := guard.ParseSettings(nil, raw(`{"foreign-netns": `+c.check+`}`), declared())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if got, want := fmt.Sprintf("%+v", set.Options[0]), fmt.Sprintf("%+v", guard.NewOptions(&loopOptions{})); got != want {
				t.Errorf("a value that was refused changed the options to %s", got)
			}
		})
	}
	set, err := guard.ParseSettings(nil, raw(`{"foreign-netns": {"policy": "warn", "max": 3, "least": 0, "wait": "2m", "name": "n", "scope": "all", "allow": ["a", "b"]}}`), declared())
	o := guard.OptionsOf[*loopOptions](set.Options)
	if err != nil || o.Max != 3 || o.Least != 0 || o.Wait != 2*time.Minute || o.Name != "n" || o.Scope != "all" || len(o.Allow) != 2 || set.Checks["foreign-netns"].Policy != guard.Warn {
		t.Errorf("options %+v, settings %+v, error %v", o, set, err)
	}
	if _, err := guard.ParseSettings(nil, raw(`{"host-netns": {"max": 3}}`), declared()); err == nil || !strings.Contains(err.Error(), `"host-netns": key "max" is unknown; valid are policy, repair`) {
		t.Errorf("a check without options takes an option: %v", err)
	}
}
