// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// What a loopback plugin would do is a finding only where the runtime calls one.
func TestLoopbackUnused(t *testing.T) {
	for name, test := range map[string]struct {
		s    site.Site
		want string
	}{
		"containerd":   {site.Site{Name: "containerd", Runtime: conflist.Runtime{Kind: conflist.Containerd}}, ""},
		"cri-dockerd":  {site.Site{Name: "cri-dockerd", Runtime: conflist.Runtime{Kind: conflist.CRIDockerd}}, ""},
		"unknown":      {site.Site{}, ""},
		"CRI-O":        {site.Site{Name: "CRI-O", Runtime: conflist.Runtime{Kind: conflist.CRIO}}, "CRI-O brings up lo of pods itself and calls no loopback plugin"},
		"containerd 2": {site.Site{Name: "containerd", InternalLoopback: true}, "containerd calls no loopback plugin (use_internal_loopback = true)"},
	} {
		if got := loopbackUnused(test.s); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
