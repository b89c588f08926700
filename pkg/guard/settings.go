// SPDX-License-Identifier: Apache-2.0

package guard

// Settings are what the operator wants of the checks. The zero value gives
// every check its default policy and lets repairs run.
type Settings struct {
	Audit  bool               // findings only warn, and nothing is repaired
	Checks map[string]Setting // by name; a check that is not listed keeps its defaults

	// Options are those of the checks that are listed; the others have their defaults.
	// OptionsOf returns those of one check.
	Options []Options
}

// A Setting is what the operator wants of one check. The zero value keeps the
// check's defaults.
type Setting struct {
	Policy Policy // zero: the check's default
	Repair *bool  // nil: repair where the check can
}

// policy gives the policy in force for a check.
func (s Settings) policy(name string, byDefault Policy) Policy {
	p := s.Checks[name].Policy
	if p == 0 {
		p = byDefault
	}
	if p == Enforce && s.Audit {
		p = Warn
	}
	return p
}

// mayRepair reports whether the operator lets a check repair what it finds.
func (s Settings) mayRepair(name string) bool {
	repair := s.Checks[name].Repair
	return !s.Audit && (repair == nil || *repair)
}
