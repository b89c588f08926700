// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// An Observer hears of each step when it begins and when it has ended.
type Observer struct {
	Begin func(step string)
	End   func(Result)
}

// Inside reads the request that Start gave, makes the private node out of the
// namespaces that Start made, and runs the steps there.
func Inside(ctx context.Context, stdin io.Reader, o Observer) error {
	var r Request
	if err := json.NewDecoder(stdin).Decode(&r); err != nil {
		return fmt.Errorf("%w: read request: %w", errNotPrivate, err)
	}
	if err := r.requirePrivate(); err != nil {
		return err
	}
	if err := prepare(r); err != nil {
		return fmt.Errorf("%w: %w", ErrNoNamespaces, err)
	}
	on := newRig(r)
	for _, s := range steps(r) {
		o.Begin(s.name)
		result := s.run(ctx, on)
		result.Step = s.name
		o.End(result)
	}
	return nil
}

func prepare(r Request) error {
	var keep []string
	for _, dir := range r.BinDirs {
		if path, err := filepath.Abs(dir); err == nil {
			keep = append(keep, path)
		}
	}
	if err := privatize(keep, r.Chain.needs()); err != nil {
		return err
	}
	// What this process has in its environment the plugins have in theirs.
	for name, value := range map[string]string{"TMPDIR": workDir, "CNI_NETNS_OVERRIDE": "", "CNI_ARGS": ""} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return setNodeLoUp()
}

// A step is one thing to see.
type step struct {
	name string
	run  func(context.Context, *rig) Result
}

func steps(r Request) []step {
	all := []step{
		{"cni-guard is installed", guardInstalled},
		{"guardctl lies beside it", guardctlInstalled},
		{"the guard hands a result on", handsOn},
		{"a pod starts and stops", podLives},
		{"a pod is lost, its path leads to the node", podLost},
		{"loopback brings up a pod's lo", loopbackAdds},
		{"loopback at the end of a lost pod", loopbackSpares},
	}
	if r.Chain != nil {
		all = append(all,
			step{"the chain ends with cni-guard", chainGuarded},
			step{"the chain's plugins are installed", chainInstalled},
			step{"the chain's entry of cni-guard", chainConfigured},
			step{"a pod of the chain starts and stops", chainLives},
			step{"a pod of the chain is lost", chainLost},
		)
	}
	return all
}
