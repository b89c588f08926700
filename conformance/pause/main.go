// SPDX-License-Identifier: Apache-2.0

// Command pause is what a sandbox runs: nothing, until it gets a signal. As
// "pause ping ADDRESS" it is the one other program of the image.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "ping" {
		if err := ping(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "ping:", err)
			os.Exit(1)
		}
		return
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}
