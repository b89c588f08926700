// SPDX-License-Identifier: Apache-2.0

package guard

import "fmt"

// A Policy is what a finding leads to. The zero Policy is invalid: a forgotten
// field must mean neither "off" nor "enforce".
type Policy uint8

const (
	Off     Policy = iota + 1 // the check does not run
	Warn                      // findings are reported
	Enforce                   // findings refuse the call
)

// policyNames are the words of the configuration, in ascending strictness.
func policyNames() []string { return []string{"off", "warn", "enforce"} }

// String gives the word of the configuration, or "invalid".
func (p Policy) String() string {
	if p < Off || p > Enforce {
		return "invalid"
	}
	return policyNames()[p-1]
}

// UnmarshalText accepts off, warn and enforce.
func (p *Policy) UnmarshalText(text []byte) error {
	for i, name := range policyNames() {
		if string(text) == name {
			*p = Policy(i + 1)
			return nil
		}
	}
	return fmt.Errorf("policy %q is unknown%s", text, Suggest(string(text), policyNames()))
}

// MarshalText gives what UnmarshalText accepts.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
