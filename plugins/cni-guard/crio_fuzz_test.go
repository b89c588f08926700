// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// What stands in crio.conf and on a command line is found or not, and is of it.
func FuzzCRIO(f *testing.F) {
	f.Add("[crio.network]\ncni_default_network = \"a\"\n")
	f.Add("cni_default_network='\n--cni-default-network\x00a")
	f.Fuzz(func(t *testing.T, text string) {
		if value, set := tomlString(text, "cni_default_network"); set && !strings.Contains(text, value) {
			t.Errorf("%q is not of %q", value, text)
		}
		if value, set := flagOf([]byte(text), "--cni-default-network"); set && !strings.Contains(text, value) {
			t.Errorf("%q is not of %q", value, text)
		}
	})
}
