// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/scenario"
)

// locations are the paths of what the suite did not build itself. The defaults
// suit `go -C conformance run .`, after scripts/conformance.sh ran once.
type locations struct {
	guard, ref, containerd2, crio, podman, pause, inNode string
}

// register makes flags of the locations. A cell is started with the same flags.
func (f *locations) register(flags *flag.FlagSet) {
	flags.StringVar(&f.guard, "guard", "bin/guard", "`directory` of cni-guard, loopback and guardctl")
	flags.StringVar(&f.ref, "ref", "bin/ref", "`directory` of the reference plugins")
	flags.StringVar(&f.containerd2, "containerd2", "bin/containerd2", "`directory` of containerd 2")
	flags.StringVar(&f.crio, "crio", "bin/crio", "`directory` of CRI-O")
	flags.StringVar(&f.podman, "podman", "bin/podman", "`directory` that podman was unpacked into")
	flags.StringVar(&f.pause, "pause", "bin/pause", "the `program` that a sandbox runs")
	flags.StringVar(&f.inNode, "in-node", "../scripts/in-node", "the `script` that makes a private node")
}

// args returns the flags back, with absolute paths.
func (f *locations) args() ([]string, error) {
	var args []string
	for _, one := range []struct{ name, path string }{
		{"guard", f.guard}, {"ref", f.ref}, {"containerd2", f.containerd2}, {"crio", f.crio}, {"podman", f.podman},
		{"pause", f.pause}, {"in-node", f.inNode},
	} {
		path, err := filepath.Abs(one.path)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", one.path, err)
		}
		args = append(args, "-"+one.name, path)
	}
	return args, nil
}

type options struct {
	locations
	scenario, runtime string
	list, json, join  bool
	page              string
	reports           []string // to join
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.StringVar(&o.scenario, "run", "", "play this `scenario` only")
	flags.StringVar(&o.runtime, "runtime", "", "play on this `runtime` only")
	flags.BoolVar(&o.list, "list", false, "list scenarios and runtimes")
	flags.BoolVar(&o.json, "json", false, "write JSON instead of a table")
	flags.StringVar(&o.page, "page", "", "write the documentation to this `file` if nothing is broken")
	flags.BoolVar(&o.join, "join", false, "play nothing: make one report of those in the files that are named, which -json wrote")
	o.register(flags)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.reports = flags.Args()
	switch {
	case o.join && len(o.reports) == 0:
		return o, errors.New("-join wants the files that -json wrote")
	case o.join && (o.scenario != "" || o.runtime != ""):
		return o, errors.New("-join makes a report of everything: leave out -run and -runtime")
	case !o.join && len(o.reports) > 0:
		return o, fmt.Errorf("do not know what to do with %q; -run takes a scenario, -runtime a runtime", flags.Arg(0))
	}
	if o.page != "" && (o.scenario != "" || o.runtime != "") {
		return o, fmt.Errorf("-page needs a run of everything: leave out -run and -runtime, or play the parts with -json and join them with -join")
	}
	return o, nil
}

func list(to io.Writer) error {
	fmt.Fprintln(to, "runtimes:")
	for _, k := range kinds() {
		fmt.Fprintf(to, "  %-20s %s\n", k.name, k.about)
	}
	fmt.Fprintln(to, "scenarios:")
	for _, s := range scenario.All() {
		if _, err := fmt.Fprintf(to, "  %-20s %s\n", s.Name, s.Incident); err != nil {
			return err
		}
	}
	return nil
}
