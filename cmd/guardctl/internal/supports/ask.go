// SPDX-License-Identifier: Apache-2.0

// Package supports asks plugins for the versions of the spec that they know, as
// CRI-O and cri-dockerd do before they take a file.
package supports

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/version"
)

// patience is what a plugin has to answer VERSION, which needs neither root nor
// a daemon.
const patience = 5 * time.Second

// Asked gives the function for conflist.Runtime. Each plugin is asked once, for
// the caller's whole life; the function is for one goroutine.
func Asked() func(binary, cniVersion string) error {
	answers := map[string]answer{}
	return func(binary, cniVersion string) error {
		a, ok := answers[binary]
		if !ok {
			a = ask(binary)
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

func ask(binary string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	exec := &invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: io.Discard}, PluginDecoder: version.PluginDecoder{}}
	info, err := invoke.GetVersionInfo(ctx, binary, exec)
	if err != nil {
		return answer{err: err}
	}
	return answer{versions: info.SupportedVersions()}
}
