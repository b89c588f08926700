// SPDX-License-Identifier: Apache-2.0

// Command bench compares the start-to-exit time of the guard's plugins with
// that of reference plugins. All run interleaved, in one private node, so that
// whatever else the machine does hits all alike; only the ratios mean anything.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	rounds := flag.Int("rounds", 300, "how often each program runs with each verb")
	guardDir := flag.String("guard", os.Getenv("CNI_GUARD_BIN"), "folder of cni-guard and loopback")
	refDir := flag.String("ref", os.Getenv("CNI_PLUGIN_BIN"), "folder of the reference plugins")
	emptyDir := flag.String("empty", "", "folder of empty and skel, which do nothing")
	flag.Parse()
	if err := run(*rounds, *guardDir, *refDir, *emptyDir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, guardDir, refDir, emptyDir string) error {
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		return fmt.Errorf("not in a private node: run `make bench`, or this under scripts/in-node")
	}
	pod, err := makePod()
	if err != nil {
		return err
	}
	if err := makeTunnels(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("/run", "cni-guard-bench-") // a tmpfs, as the state directory of a node is
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir)

	subjects, err := subjects(dir, pod, guardDir, refDir, emptyDir)
	if err != nil {
		return err
	}
	over := false
	for _, records := range []int{0, 1000} {
		for _, state := range []string{"state", "state-geneve", "state-vxlan"} {
			if err := fillLedger(filepath.Join(dir, state), records); err != nil {
				return err
			}
		}
		times, err := measure(rounds, subjects)
		if err != nil {
			return err
		}
		print(os.Stdout, records, rounds, times)
		over = over || times.overBudget()
	}
	if over {
		return fmt.Errorf("over budget; on a busy machine run it again")
	}
	return nil
}
