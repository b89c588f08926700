// SPDX-License-Identifier: Apache-2.0

// Command pause is what a sandbox runs: nothing, until it gets a signal. It is the only
// program of the image, so that it does whatever else the pods of the tests do:
//
//	pause ping ADDRESS          sends one ICMP echo request and waits for its reply
//	pause dial ADDRESS:PORT     connects, and prints what the other side says
//	pause serve ADDRESS:PORT    says its host name to each client
//	pause write FILE TEMPLATE   writes FILE as TEMPLATE, as the DaemonSet of a network plugin does
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	args := os.Args[1:]
	if len(args) == 0 {
		await()
		return
	}
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, args[0]+":", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case args[0] == "ping" && len(args) == 2:
		return ping(args[1])
	case args[0] == "dial" && len(args) == 2:
		return dial(args[1])
	case args[0] == "serve" && len(args) == 2:
		return serve(args[1])
	case args[0] == "write" && len(args) == 3:
		return write(args[1], args[2])
	}
	return fmt.Errorf("unknown arguments %q", args)
}

// await waits for a signal.
func await() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}
