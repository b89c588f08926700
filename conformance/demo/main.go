// SPDX-License-Identifier: Apache-2.0

// Command demo plays the loss of a sandbox on a private node and shows what
// becomes of the node, without the guard and with it. scripts/demo.sh runs it.
//
//	demo play -ref FOLDER [-guard FOLDER]    one run, as JSON, inside scripts/in-node
//	demo show WITHOUT.json WITH.json         the table; fails unless only the first run did harm
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want play or show; scripts/demo.sh knows how")
	}
	switch args[0] {
	case "play":
		return runPlay(args[1:])
	case "show":
		return runShow(args[1:])
	}
	return fmt.Errorf("no command %q: want play or show", args[0])
}

func runPlay(args []string) error {
	flags := flag.NewFlagSet("play", flag.ContinueOnError)
	ref := flags.String("ref", "", "folder of the reference plugins")
	guard := flags.String("guard", "", "folder of cni-guard; without it the guard is left out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o, err := play(context.Background(), *ref, *guard)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}

func runShow(files []string) error {
	if len(files) != 2 {
		return errors.New("show: want two files")
	}
	without, err := readOutcome(files[0])
	if err != nil {
		return err
	}
	with, err := readOutcome(files[1])
	if err != nil {
		return err
	}
	if err := errors.Join(writeTable(os.Stdout, without, with), writeAnswers(os.Stdout, without, with)); err != nil {
		return fmt.Errorf("show: %w", err)
	}
	sentence, err := verdict(without, with)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s\n", sentence)
	return nil
}

func readOutcome(file string) (outcome, error) {
	var o outcome
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err != nil {
		return o, fmt.Errorf("read outcome: %w", err)
	}
	return o, nil
}
