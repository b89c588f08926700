// SPDX-License-Identifier: Apache-2.0

// Command run runs a program on a kernel of Debian's in a virtual machine, and
// exits as the program did.
//
//	go -C conformance run ./vm/run -kernel 6.1 -- BINARY ARGUMENTS…
//
// The guest has nothing but what it is told to have. scripts/in-vm tells it what
// Go's tests need, so that it can stand before a test binary:
//
//	CGO_ENABLED=0 go test -exec "$PWD/scripts/in-vm" ./pkg/netstate
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cni-guard/cni-guard/conformance/vm"
)

// undecided is the exit code where nobody knows what the program would have
// exited with, as of env(1) and its like.
const undecided = 125

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		exit = undecided
	}
	stop()
	os.Exit(exit)
}

func run(ctx context.Context, args []string) (int, error) {
	o, err := parse(args)
	if err != nil {
		return 0, err
	}
	m, err := o.machine()
	if err != nil {
		return 0, err
	}
	cache, err := o.kernels()
	if err != nil {
		return 0, err
	}
	if m.Kernel, err = vm.Debian(ctx, o.kernel, cache); err != nil {
		return 0, err
	}
	result, err := vm.Run(ctx, m)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(os.Stderr, "vm: kernel %s, exit code %d, %s\n", result.Kernel, result.Exit, result.Took.Round(100*time.Millisecond))
	return result.Exit, nil
}
