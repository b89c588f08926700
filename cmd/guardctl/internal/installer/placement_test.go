// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Where the operator says no placement, the guard is first as well with cri-dockerd,
// whose paths may lead to the node on ADD already, before primaries that take a result.
func TestDefaultPlacement(t *testing.T) {
	const bookend, inline = 2, 1
	for name, test := range map[string]struct {
		kind    conflist.Kind
		primary string
		said    installer.Placement
		want    int
	}{
		"bridge":                     {conflist.CRIDockerd, `{"type":"bridge"}`, "", bookend},
		"ipvlan on a named master":   {conflist.CRIDockerd, `{"type":"ipvlan","master":"eth0"}`, "", bookend},
		"ipvlan on whatever it gets": {conflist.CRIDockerd, `{"type":"ipvlan"}`, "", inline},
		"not known":                  {conflist.CRIDockerd, `{"type":"flannel"}`, "", inline},
		"said":                       {conflist.CRIDockerd, `{"type":"bridge"}`, installer.Inline, inline},
		"containerd":                 {conflist.Containerd, `{"type":"bridge"}`, "", inline},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.write("bin/ipvlan", answers, 0o755)
			n.write("conf/10-pods.conflist", `{"cniVersion":"1.0.0","name":"pods","plugins":[`+test.primary+`]}`, 0o644)
			n.request.Site.Runtime.Kind = test.kind
			n.request.Placement = test.said
			n.must(installer.Install)
			if got := strings.Count(n.read("conf/10-pods.conflist"), `"cni-guard"`); got != test.want {
				t.Errorf("the guard is there %d times, want %d:\n%s", got, test.want, n.read("conf/10-pods.conflist"))
			}
		})
	}
}
