// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

func TestAreaOf(t *testing.T) {
	for id, want := range map[string]string{"CG101": "sandbox", "CG501": "firewall", "CG901": "other", "CG": "other", "": "other", "XX101": "other"} {
		if got := checks.AreaOf(id).Name; got != want {
			t.Errorf("the area of %q is %s, want %s", id, got, want)
		}
	}
	for _, c := range checks.Suite() {
		if checks.AreaOf(c.ID).Name == "other" {
			t.Errorf("the ID %s of %s names no area", c.ID, c.Name)
		}
	}
}
