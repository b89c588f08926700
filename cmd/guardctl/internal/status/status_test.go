// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/agent"
)

// A fight about the conf dir is named also while the agent does not wait for the next attempt.
func TestContested(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		conf agent.ConfStatus
		want string
	}{
		{agent.ConfStatus{}, ""},
		{agent.ConfStatus{InARow: 3}, ""},
		{agent.ConfStatus{InARow: 100}, "another program undoes this: 100 actions in a row\n"},
		{agent.ConfStatus{InARow: 100, Until: now.Add(-time.Second)}, "another program undoes this: 100 actions in a row\n"},
		{agent.ConfStatus{InARow: 130, Until: now.Add(time.Minute)}, "130 actions in a row; next attempt at " + now.Add(time.Minute).Local().Format(time.TimeOnly)},
	} {
		var out strings.Builder
		l := &lines{w: &out}
		l.conf(tt.conf, now)
		if got := out.String(); l.err != nil || !strings.Contains(got, tt.want) || tt.want == "" && strings.Contains(got, "undoes") {
			t.Errorf("%+v: %q, %v, want %q", tt.conf, got, l.err, tt.want)
		}
	}
}
