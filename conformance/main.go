// SPDX-License-Identifier: Apache-2.0

// Command conformance plays incidents on real container runtimes, each in a
// private node, once without the guard and once with it. scripts/conformance.sh
// builds what it needs and runs it.
//
//	conformance [-run SCENARIO] [-runtime RUNTIME] [-json] [-page FILE]
//	conformance -join [-json] [-page FILE] REPORT...
//	conformance -list
//	conformance window [-runtime RUNTIME] [-way WAY] [-pods N] [-page FILE]
//
// It exits with 0 if every incident harms the node without the guard and none
// with it, 1 if not, and 2 if it could not begin.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// errBroken is said in the report already.
var errBroken = errors.New("not as it should be")

func main() {
	// The kernel kills a cell when the thread that started it ends.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errBroken):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "play" {
		return play(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "window" {
		return measureWindows(ctx, args[1:])
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.list {
		return list(os.Stdout)
	}
	suite, err := choose(o.scenario, o.runtime)
	if err != nil {
		return err
	}
	if o.join {
		return suite.join(o)
	}
	if err := suite.prepare(o.locations); err != nil {
		return err
	}
	return suite.run(ctx, o)
}
