// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/scenario"
)

// A suite is what is to be played.
type suite struct {
	scenarios []scenario.Scenario
	kinds     []kind
}

// choose picks by name; an empty name picks all.
func choose(scenarioName, runtimeName string) (suite, error) {
	s := suite{scenario.All(), kinds()}
	var err error
	if s.scenarios, err = pick("scenario", scenarioName, s.scenarios, func(s scenario.Scenario) string { return s.Name }); err != nil {
		return s, err
	}
	s.kinds, err = pick("runtime", runtimeName, s.kinds, func(k kind) string { return k.name })
	return s, err
}

func pick[T any](what, wanted string, all []T, name func(T) string) ([]T, error) {
	if wanted == "" {
		return all, nil
	}
	var names []string
	for _, one := range all {
		if name(one) == wanted {
			return []T{one}, nil
		}
		names = append(names, name(one))
	}
	slices.Sort(names)
	return nil, fmt.Errorf("no %s %q: there are %s", what, wanted, strings.Join(names, ", "))
}

// prepare finds out what is missing before anything is begun.
func (s suite) prepare(f locations) error {
	if os.Getuid() != 0 {
		return errors.New("container runtimes need root: run this as root")
	}
	return s.missing(f)
}

// missing names every program that is not there, and what provides it.
func (s suite) missing(f locations) error {
	const script = "scripts/conformance.sh"
	needs := []need{{"unshare", "apt-get install util-linux"}, {"ip", "apt-get install iproute2"}}
	for _, program := range []string{"cni-guard", "loopback", "guardctl"} {
		needs = append(needs, need{filepath.Join(f.guard, program), script})
	}
	for _, program := range []string{"ptp", "bridge", "macvlan", "ipvlan", "host-local", "loopback"} {
		needs = append(needs, need{filepath.Join(f.ref, program), script})
	}
	needs = append(needs, need{f.pause, script}, need{f.inNode, script})
	for _, k := range s.kinds {
		needs = append(needs, k.needs...)
		if k.programs != nil {
			needs = append(needs, need{filepath.Join(k.programs(f), k.program), k.from})
		}
	}
	var missing []error
	for _, n := range needs {
		if _, err := exec.LookPath(n.program); err != nil && !errors.Is(err, exec.ErrDot) {
			missing = append(missing, fmt.Errorf("%s is missing: %s provides it", n.program, n.from))
		}
	}
	return errors.Join(missing...)
}
