// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

func TestOnlyLoopback(t *testing.T) {
	for name, c := range map[string]struct {
		types []string
		want  bool
	}{
		"loopback":  {[]string{"loopback"}, true},
		"beside it": {[]string{"loopback", "bridge"}, false},
		"no plugin": {nil, false},
	} {
		var l conflist.List
		for _, plugin := range c.types {
			l.Plugins = append(l.Plugins, conflist.Plugin{Type: plugin})
		}
		if l.OnlyLoopback() != c.want || (conflist.File{Plugins: c.types}).OnlyLoopback() != c.want {
			t.Errorf("%s: is not %t", name, c.want)
		}
	}
}
