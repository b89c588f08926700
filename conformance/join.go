// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/cni-guard/cni-guard/conformance/report"
)

// join reports what several runs showed, as if it had been one.
func (s suite) join(o options) error {
	whole, err := s.describe(func(kind) (string, error) { return "", nil })
	if err != nil {
		return err
	}
	var parts []report.Report
	for _, file := range o.reports {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read report: %w", err)
		}
		var part report.Report
		if err := json.Unmarshal(text, &part); err != nil {
			return fmt.Errorf("read report %s: %w", file, err)
		}
		parts = append(parts, part)
	}
	joined, err := report.Join(whole, parts...)
	if err != nil {
		return err
	}
	return conclude(joined, o)
}
