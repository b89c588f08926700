// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"strings"
)

// Prometheus writes the report in the Prometheus text format 0.0.4, for the textfile
// collector of node_exporter. The names and labels are those of the agent's metrics.
func (r Report) Prometheus(w io.Writer) error {
	var b strings.Builder
	metric := func(name, help string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
	}
	metric("cni_guard_check_state", "1 for the present state of a check (passed, minor, failed, unknown or skipped), 0 for the others.")
	for _, c := range r.Checks {
		for _, state := range []State{Passed, Minor, Failed, Unknown, Skipped} {
			fmt.Fprintf(&b, "cni_guard_check_state{check=%s,id=%s,state=%s} %d\n", label(c.Name), label(c.ID), label(string(state)), one(lasting(c.State) == state))
		}
	}
	metric("cni_guard_findings", "Findings of a check at the moment, minor ones included.")
	for _, c := range r.Checks {
		n := len(c.Findings)
		if c.State == Repaired {
			n = 0
		}
		fmt.Fprintf(&b, "cni_guard_findings{check=%s,id=%s} %d\n", label(c.Name), label(c.ID), n)
	}
	metric("cni_guard_last_look_timestamp_seconds", "Unix time of the last full look that succeeded.")
	fmt.Fprintf(&b, "cni_guard_last_look_timestamp_seconds %d\n", r.Time.Unix())
	_, err := io.WriteString(w, b.String())
	return err
}

// lasting returns the state that is left: what was repaired has passed.
func lasting(s State) State {
	if s == Repaired {
		return Passed
	}
	return s
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// label returns the value of a label, quoted as the format wants it.
func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}
