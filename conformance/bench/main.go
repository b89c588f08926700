// SPDX-License-Identifier: Apache-2.0

// Command bench compares calls of the guard's plugins with calls of reference plugins,
// from the start of the process to its end: wall time, CPU time and voluntary context
// switches. All programs run interleaved in one private node, so that the load of the
// machine is the same for all of them. Only the ratios are comparable between machines.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	rounds := flag.Int("rounds", 300, "how often each program runs with each verb")
	guardDir := flag.String("guard", os.Getenv("CNI_GUARD_BIN"), "directory of cni-guard and loopback")
	refDir := flag.String("ref", os.Getenv("CNI_PLUGIN_BIN"), "directory of the reference plugins")
	emptyDir := flag.String("empty", "", "directory of empty and skel, which do nothing")
	readme := flag.String("readme", "", "a Markdown file whose table of the bench is replaced")
	flag.Parse()
	if err := run(*rounds, *guardDir, *refDir, *emptyDir, *readme); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, guardDir, refDir, emptyDir, readme string) error {
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
		return fmt.Errorf("create directory: %w", err)
	}
	defer os.RemoveAll(dir)
	programs, err := os.MkdirTemp("", "cni-guard-bench-")
	if err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	defer os.RemoveAll(programs)

	subjects, err := subjects(dir, pod, programs, guardDir, refDir, emptyDir)
	if err != nil {
		return err
	}
	results := map[int]medians{}
	for _, records := range []int{0, 1000} {
		for _, state := range []string{"state", "state-geneve", "state-vxlan"} {
			if err := fillLedger(filepath.Join(dir, state), records); err != nil {
				return err
			}
		}
		if results[records], err = measure(rounds, subjects); err != nil {
			return err
		}
	}
	table := table(rounds, results)
	fmt.Print(table)
	if readme != "" {
		if err := replaceTable(readme, table); err != nil {
			return err
		}
	}
	if over := overBudget(results); len(over) > 0 {
		return fmt.Errorf("over budget: %v; run it again if the machine was busy", over)
	}
	return nil
}
