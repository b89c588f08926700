// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Join makes one report of the reports of several runs. The whole says which
// scenarios and runtimes there must be, and in which order; the versions of the
// runtimes are those of the parts. Of a scenario that several parts played on a
// runtime the last one counts; none that was played before the text of the scenario
// changed does. It is an error if two parts played different versions of a runtime, or
// if a scenario is missing on a runtime.
func Join(whole Report, parts ...Report) (Report, error) {
	joined := Report{Scenarios: whole.Scenarios}
	versions := map[string]string{}
	cells := map[[2]string]Cell{}
	for _, part := range parts {
		joined.Took += part.Took
		for _, r := range part.Runtimes {
			if v, known := versions[r.Name]; known && v != r.Version {
				return joined, fmt.Errorf("join reports: one was played on %s, and one on %s", v, r.Version)
			}
			versions[r.Name] = r.Version
		}
		for _, c := range part.Cells {
			if reflect.DeepEqual(part.scenario(c.Scenario), whole.scenario(c.Scenario)) {
				cells[[2]string{c.Scenario, c.Runtime}] = c
			}
		}
	}
	for _, r := range whole.Runtimes {
		joined.Runtimes = append(joined.Runtimes, Runtime{r.Name, versions[r.Name]})
	}
	var missing []string
	for _, s := range whole.Scenarios {
		for _, r := range whole.Runtimes {
			c, ok := cells[[2]string{s.Name, r.Name}]
			if !ok {
				missing = append(missing, s.Name+" on "+r.Name)
				continue
			}
			joined.Cells = append(joined.Cells, c)
		}
	}
	if len(missing) > 0 {
		return joined, errors.New("join reports: no report has, with the present text: " + strings.Join(missing, ", "))
	}
	return joined, nil
}

// scenario returns what the report says of a scenario; the zero value where it has none
// of that name.
func (r Report) scenario(name string) Scenario {
	i := slices.IndexFunc(r.Scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}
	}
	return r.Scenarios[i]
}
