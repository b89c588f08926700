// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/conformance/report"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/window"
)

// measureWindows measures, on each runtime that selects a file, how long each way lasts.
func measureWindows(ctx context.Context, args []string) error {
	var f locations
	flags := flag.NewFlagSet("window", flag.ContinueOnError)
	runtime := flags.String("runtime", "", "measure on this `runtime` only")
	wayName := flags.String("way", "", "measure this `way` only")
	page := flags.String("page", "", "write the table into this `file`, between its marks")
	var load window.Load
	loadFlags(flags, &load)
	f.register(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose("", *runtime)
	if err != nil {
		return err
	}
	// libcni and podman select no file, and containerd 1.6 watches its directory as 2 does.
	chosen.kinds = slices.DeleteFunc(chosen.kinds, func(k kind) bool {
		return k.name == "libcni" || k.name == "podman" || k.name == "containerd" && *runtime == ""
	})
	ways, err := pick("way", *wayName, window.Ways(), func(w window.Way) string { return w.Name })
	if err != nil {
		return err
	}
	if err := chosen.prepare(f); err != nil {
		return err
	}
	w, err := newWorkshop(f)
	if err != nil {
		return err
	}
	defer w.close()
	table := window.Table{Load: load, Ways: ways}
	for _, k := range chosen.kinds {
		programs := ""
		if k.programs != nil {
			programs = k.programs(f)
		}
		version, err := k.version(programs)
		if err != nil {
			return err
		}
		table.Runtimes = append(table.Runtimes, version)
		for _, way := range ways {
			fmt.Fprintf(os.Stderr, "%s on %s: ", way.Name, k.name)
			r, err := w.window(ctx, k.name, way.Name, load)
			if err != nil {
				return err
			}
			r.Runtime = version
			fmt.Fprintln(os.Stderr, r)
			table.Results = append(table.Results, r)
		}
	}
	if *page != "" {
		return table.WriteInto(*page)
	}
	_, err = fmt.Print(table.Markdown())
	return err
}

func loadFlags(flags *flag.FlagSet, load *window.Load) {
	flags.IntVar(&load.Pods, "pods", 100, "pods that start in all")
	flags.IntVar(&load.AtOnce, "at-once", 20, "pods that start at a time")
	flags.IntVar(&load.Changes, "changes", 5, "times that the file is put there meanwhile")
}

// window measures one way in a private node of its own.
func (w *workshop) window(ctx context.Context, runtime, way string, load window.Load) (window.Result, error) {
	log := filepath.Join(w.dir, "log")
	cgroup := fmt.Sprintf("cni-guard-conformance-%d", os.Getpid())
	// A throttled agent takes its time.
	o, err := w.start(ctx, 30*time.Minute, "-way", way, "-runtime", runtime, "-guarded=true", "-log", log, "-cgroup", "/"+cgroup,
		fmt.Sprintf("-pods=%d", load.Pods), fmt.Sprintf("-at-once=%d", load.AtOnce), fmt.Sprintf("-changes=%d", load.Changes))
	err = errors.Join(err, removeCgroups("/sys/fs/cgroup", cgroup))
	if err != nil {
		if text, logErr := os.ReadFile(log); logErr == nil {
			for _, line := range report.Relevant(string(text)) {
				fmt.Fprintf(os.Stderr, "  | %s\n", line)
			}
		}
		return o.Window, fmt.Errorf("measure %s on %s: %w", way, runtime, err)
	}
	return o.Window, os.Remove(log)
}

// measure is the inside of such a node.
func measure(ctx context.Context, st *rig.Rig, name string, load window.Load) (o outcome) {
	ways, err := pick("way", name, window.Ways(), func(w window.Way) string { return w.Name })
	if err == nil {
		err = st.Raise(ctx)
	}
	if err == nil {
		_, err = window.Prepare(ctx, st)
	}
	if err == nil {
		o.Window, err = window.Play(ctx, st, ways[0], load)
	}
	if err != nil {
		o.Failure = err.Error()
		if log, logErr := os.ReadFile(st.AgentLog()); logErr == nil {
			o.Failure += "\nthe agent's log:\n" + string(log[max(0, len(log)-2000):])
		}
	}
	return o
}
