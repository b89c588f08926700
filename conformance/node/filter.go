// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os/exec"
	"strings"
)

// FilterRules returns the iptables rules of the calling thread's namespace that
// mention one of the words, such as a pod's address or a container ID.
func FilterRules(words ...string) ([]string, error) {
	out, err := exec.Command("iptables-save").Output()
	if err != nil {
		return nil, fmt.Errorf("list iptables rules: %w", err)
	}
	var rules []string
	for line := range strings.Lines(string(out)) {
		for _, word := range words {
			if word != "" && strings.Contains(line, word) {
				rules = append(rules, strings.TrimSpace(line))
				break
			}
		}
	}
	return rules, nil
}
