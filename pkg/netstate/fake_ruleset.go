// SPDX-License-Identifier: Apache-2.0

package netstate

import "strings"

// Ruleset implements View. The rules are those of the text form, as they are written.
func (f *Fake) Ruleset(*Ruleset) (*Ruleset, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failure("Ruleset"); err != nil {
		return nil, err
	}
	r := &Ruleset{}
	if len(f.ruleset) > 0 {
		r.Text = strings.Join(f.ruleset, "\n") + "\n"
	}
	return r, nil
}
