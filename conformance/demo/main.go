// SPDX-License-Identifier: Apache-2.0

// Command demo plays incidents on private nodes, without cni-guard and with it, and
// compares the results. scripts/demo.sh runs it.
//
//	demo list                                    names of the incidents, in order
//	demo play -ref DIR [-guard DIR] [-guardctl PROGRAM] INCIDENT
//	                                             one run, as JSON, inside scripts/in-node
//	demo show [-detail] DIR                      the comparison of the runs in DIR
//	demo picture COMMAND <TEXT >FILE.svg         a terminal with the command and its output
//
// DIR has a file INCIDENT.without.json and a file INCIDENT.with.json for each incident.
// show fails unless every run without cni-guard does damage and no run with it does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want list, play, show or picture; scripts/demo.sh calls them")
	}
	switch args[0] {
	case "list":
		for _, i := range incidents() {
			fmt.Println(i.name)
		}
		return nil
	case "play":
		return runPlay(args[1:])
	case "show":
		return runShow(args[1:])
	case "picture":
		return runPicture(args[1:])
	}
	return fmt.Errorf("unknown command %q: want list, play, show or picture", args[0])
}

func runPlay(args []string) error {
	flags := flag.NewFlagSet("play", flag.ContinueOnError)
	var r rig
	flags.StringVar(&r.ref, "ref", "", "directory of the reference plugins")
	flags.StringVar(&r.guard, "guard", "", "directory of cni-guard; without it, pods are not guarded")
	flags.StringVar(&r.guardctl, "guardctl", "", "guardctl, which is to find the same on the node as in a bundle of it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	i, err := findIncident(flags.Arg(0))
	if err != nil {
		return err
	}
	o, err := r.play(context.Background(), i)
	if err != nil {
		return fmt.Errorf("play %s: %w", i.name, err)
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}

func runShow(args []string) error {
	flags := flag.NewFlagSet("show", flag.ContinueOnError)
	detail := flags.Bool("detail", false, "show what happened in each run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var runs []comparison
	for _, i := range incidents() {
		c := comparison{incident: i}
		err := errors.Join(
			c.without.read(filepath.Join(flags.Arg(0), i.name+".without.json")),
			c.with.read(filepath.Join(flags.Arg(0), i.name+".with.json")))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // not chosen
		case err != nil:
			return err
		}
		runs = append(runs, c)
	}
	if *detail {
		writeDetail(os.Stdout, runs)
	} else if err := writeTable(os.Stdout, runs); err != nil {
		return err
	}
	return verdict(os.Stdout, runs)
}
