// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
	"github.com/cni-guard/cni-guard/conformance/scenario"
	"github.com/cni-guard/cni-guard/conformance/window"
)

// An outcome is what a cell tells the suite.
type outcome struct {
	Sightings []claim.Sighting `json:"sightings"`
	Failure   string           `json:"failure,omitempty"`
	Doctor    []string         `json:"doctor,omitempty"` // what it finds afterwards, with -bundle
	Window    window.Result    `json:"window,omitzero"`
}

// play is the inside of a cell: it has a private node to itself.
func play(ctx context.Context, args []string) error {
	var f locations
	flags := flag.NewFlagSet("play", flag.ContinueOnError)
	name := flags.String("scenario", "", "")
	runtime := flags.String("runtime", "", "")
	guarded := flags.Bool("guarded", false, "")
	scratch := flags.String("scratch", "", "an empty `directory`")
	log := flags.String("log", "", "`file` for the runtime's log")
	cgroup := flags.String("cgroup", "", "parent of control groups")
	bundled := flags.Bool("bundle", false, "have guardctl doctor judge the node afterwards, and a bundle of it elsewhere")
	way := flags.String("way", "", "measure the window of this way instead of playing a scenario")
	var load window.Load
	loadFlags(flags, &load)
	f.register(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*name, *runtime)
	if err != nil {
		return err
	}
	if len(chosen.kinds) != 1 || *way == "" && len(chosen.scenarios) != 1 {
		return errors.New("play: want one scenario and one runtime")
	}
	site := runtimes.Site{Log: *log, Cgroup: *cgroup, Pause: f.pause}
	if programs := chosen.kinds[0].programs; programs != nil {
		site.Programs = programs(f)
	}
	sc := chosen.scenarios[0]
	if *way != "" {
		sc = scenario.Scenario{Setup: rig.Setup{Late: true}}
	}
	st, err := rig.New(*scratch, *guarded, sc.Setup, rig.Dirs{Ref: f.ref, Guard: f.guard}, site, chosen.kinds[0].make)
	if err != nil {
		return err
	}
	if *way != "" {
		return json.NewEncoder(os.Stdout).Encode(measure(ctx, st, *way, load))
	}
	return json.NewEncoder(os.Stdout).Encode(perform(ctx, sc, st, *bundled))
}

func perform(ctx context.Context, sc scenario.Scenario, st *rig.Rig, bundled bool) outcome {
	err := st.Raise(ctx)
	if err == nil {
		err = sc.Play(ctx, st)
	}
	o := outcome{Sightings: st.Sightings()}
	if err == nil && bundled {
		o.Doctor, err = st.JudgeBundle(ctx)
	}
	if err != nil {
		o.Failure = fmt.Sprint(err)
	}
	return o
}
