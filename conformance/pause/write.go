// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// write writes the file as the template, by a rename, as the DaemonSets of network plugins
// do: at its start, and again upon each SIGHUP.
func write(path, template string) error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	for {
		text, err := os.ReadFile(template)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+".tmp", text, 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			return err
		}
		fmt.Println("wrote", path)
		select {
		case <-again:
		case <-end:
			return nil
		}
	}
}
