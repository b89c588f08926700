// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

func declared() []guard.Declaration {
	return []guard.Declaration{{Name: "host-netns"}, {Name: "foreign-netns", Options: &loopOptions{}}, {Name: "host-loopback"}}
}

func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

func TestParseSettings(t *testing.T) {
	set, err := guard.ParseSettings(raw(`"audit"`), raw(`{
		"host-netns": {"policy": "warn", "repair": false},
		"foreign-netns": {"policy": "off"},
		"host-loopback": {}
	}`), declared())
	if err != nil {
		t.Fatal(err)
	}
	netns := set.Checks["host-netns"]
	if !set.Audit || netns.Policy != guard.Warn || netns.Repair == nil || *netns.Repair {
		t.Errorf("settings are %+v", set)
	}
	if set.Checks["foreign-netns"].Policy != guard.Off || set.Checks["host-loopback"] != (guard.Setting{}) {
		t.Errorf("settings are %+v", set)
	}
	for _, mode := range []string{"", `"enforce"`} {
		if set, err := guard.ParseSettings(raw(mode), nil, declared()); err != nil || set.Audit || set.Checks != nil {
			t.Errorf("with mode %s: %+v, error %v, want the zero Settings", mode, set, err)
		}
	}
}

// A typo must not look like protection.
func TestParseSettingsRefuses(t *testing.T) {
	for name, c := range map[string]struct{ mode, checks, want string }{
		"mode":            {`"audid"`, ``, `read "mode": "audid" is unknown; did you mean "audit"?`},
		"far-off mode":    {`"on"`, ``, `"on" is unknown; valid are enforce, audit`},
		"mode, number":    {`1`, ``, `read "mode": want "enforce" or "audit"`},
		"mode, null":      {`null`, ``, `read "mode": "" is unknown; valid are enforce, audit`},
		"mode, case":      {`"Audit"`, ``, `did you mean "audit"?`},
		"checks, array":   {``, `[]`, `read "checks": want an object of check names`},
		"checks, text":    {``, `"all"`, `read "checks": want an object of check names`},
		"check":           {``, `{"host-netn": {}}`, `read "checks": check "host-netn" is unknown; did you mean "host-netns"?`},
		"check, case":     {``, `{"Host-Netns": {}}`, `did you mean "host-netns"?`},
		"far-off check":   {``, `{"mtu": {}}`, `check "mtu" is unknown; valid are host-netns, foreign-netns, host-loopback`},
		"setting, text":   {``, `{"host-netns": "off"}`, `read "checks": "host-netns": want an object such as {"policy": "warn"}`},
		"key":             {``, `{"host-netns": {"polcy": "warn"}}`, `key "polcy" is unknown; did you mean "policy"?`},
		"key, case":       {``, `{"host-netns": {"Policy": "warn"}}`, `key "Policy" is unknown; did you mean "policy"?`},
		"policy":          {``, `{"host-netns": {"policy": "enfroce"}}`, `policy "enfroce" is unknown; did you mean "enforce"?`},
		"policy, empty":   {``, `{"host-netns": {"policy": ""}}`, `policy "" is unknown; valid are off, warn, enforce`},
		"policy, invalid": {``, `{"host-netns": {"policy": "invalid"}}`, `policy "invalid" is unknown`},
		"policy, number":  {``, `{"host-netns": {"policy": 3}}`, `"policy"`},
		"policy, true":    {``, `{"host-netns": {"policy": true}}`, `"policy"`},
		"policy, null":    {``, `{"host-netns": {"policy": null}}`, `"policy": want a value, not null`},
		"repair, null":    {``, `{"host-netns": {"repair": null}}`, `"repair": want a value, not null`},
		"repair, text":    {``, `{"host-netns": {"repair": "yes"}}`, `"repair"`},
		"second of two":   {``, `{"foreign-netns": {}, "host-netns": {"repair": 1}}`, `"host-netns": "repair"`},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := guard.ParseSettings(raw(c.mode), raw(c.checks), declared())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("settings %+v, error %v, want one with %q", set, err, c.want)
			}
		})
	}
}

func TestPolicyText(t *testing.T) {
	for _, want := range []guard.Policy{guard.Off, guard.Warn, guard.Enforce} {
		text, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got guard.Policy
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%q is read as %v, error %v", text, got, err)
		}
	}
	if got := guard.Policy(4).String() + guard.Policy(0).String(); got != "invalidinvalid" {
		t.Errorf("no policies are called %q", got)
	}
}

func TestSuggest(t *testing.T) {
	valid := []string{"enforce", "audit", "off"}
	for word, want := range map[string]string{
		"enforce":  `; did you mean "enforce"?`,
		"enforced": `; did you mean "enforce"?`,
		"aduit":    `; did you mean "audit"?`,
		"of":       `; did you mean "off"?`,
		"":         "; valid are enforce, audit, off",
		"x":        "; valid are enforce, audit, off",
		"prevent":  "; valid are enforce, audit, off",
	} {
		if got := guard.Suggest(word, valid); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := guard.Suggest("x", nil); got != "; valid are " {
		t.Errorf("with nothing to suggest: %q", got)
	}
}

// A word that is near is a typo; one that is not is another word.
func TestSimilar(t *testing.T) {
	valid := []string{"mode", "checks", "stateDir", "statusHoldDown", "host-netns"}
	for word, want := range map[string]string{
		"mode": "mode", "Mode": "mode", "mdoe": "mode", "mod": "mode", "modes": "mode", "omde": "mode", "mdeo": "",
		"chekcs": "checks", "CHECKS": "checks", "check": "checks", "chek": "", "chec\u212as": "checks", "_checks": "checks",
		"statedir": "stateDir", "state_dir": "stateDir", "satteDri": "stateDir", "stateFolder": "",
		"status-hold-down": "statusHoldDown", "statusHolddwon": "statusHoldDown", "holdDown": "",
		"hostnetns": "host-netns", "host-netsn": "host-netns", "foreign-netns": "",
		"": "", "x": "", "ipam": "", "name": "", "logLevel": "",
	} {
		if got := guard.Similar(word, valid); got != want {
			t.Errorf("Similar(%q) = %q, want %q", word, got, want)
		}
	}
	if got := guard.Similar(strings.Repeat("x", 1<<20), valid); got != "" {
		t.Errorf("a very long word is similar to %q", got)
	}
}

// All that is wrong is told at once, and the rest is kept.
func TestParseSettingsJoinsErrors(t *testing.T) {
	set, err := guard.ParseSettings(raw(`"audid"`), raw(`{"host-netsn": {}, "host-netns": {"policy": "warn", "x": 1, "repair": 7}, "host-loopback": {"repair": false}}`), declared())
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != 4 {
		t.Fatalf("error %v, want four", err)
	}
	if set.Checks["host-netns"].Policy != guard.Warn || set.Checks["host-loopback"].Repair == nil || set.Audit {
		t.Errorf("settings %+v", set)
	}
}

// Whatever the configuration holds, it is refused or it means what it says.
func FuzzParseSettings(f *testing.F) {
	f.Add([]byte(`"audit"`), []byte(`{"host-netns": {"policy": "warn", "repair": false}}`))
	f.Add([]byte(`null`), []byte(`{"host-netns": null}`))
	f.Add([]byte(``), []byte(`{"": {"policy": "\ud800"}}`))
	f.Fuzz(func(t *testing.T, mode, checks []byte) {
		set, err := guard.ParseSettings(mode, checks, declared())
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error says nothing")
			}
			return
		}
		for name, s := range set.Checks {
			if guard.Suggest(name, []string{"host-netns", "foreign-netns", "host-loopback"}) != `; did you mean "`+name+`"?` {
				t.Errorf("check %q is accepted", name)
			}
			if s.Policy > guard.Enforce {
				t.Errorf("policy %d is accepted", s.Policy)
			}
		}
	})
}
