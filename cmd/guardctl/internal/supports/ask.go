// SPDX-License-Identifier: Apache-2.0

// Package supports asks plugins for the versions of the spec that they know, as
// CRI-O and cri-dockerd do before they take a file.
package supports

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/probe"
)

// Asked returns the function for conflist.Runtime. Each plugin is asked once, for the
// caller's whole life, and may take so long; the function is for one goroutine.
func Asked(patience time.Duration) func(binary, cniVersion string) error {
	answers := map[string]answer{}
	return func(binary, cniVersion string) error {
		a, ok := answers[binary]
		if !ok {
			a = ask(binary, patience)
			answers[binary] = a
		}
		return a.supports(cniVersion)
	}
}

type answer struct {
	versions []string
	err      error
}

func (a answer) supports(cniVersion string) error {
	switch {
	case a.err != nil:
		return fmt.Errorf("it does not answer VERSION: %w", a.err)
	case !slices.Contains(a.versions, cniVersion):
		return fmt.Errorf("it does not support cniVersion %s, but %s", cniVersion, strings.Join(a.versions, ", "))
	}
	return nil
}

func ask(binary string, patience time.Duration) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	versions, err := probe.Version(ctx, binary)
	return answer{versions, err}
}
