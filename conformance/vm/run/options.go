// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/conformance/vm"
)

type options struct {
	kernel, cache, init, dir string
	files, env, sysctls      list
	programs                 list
	modules                  string
	memory, cpus             int
	deadline                 time.Duration
	console, ownTime         bool
	command                  []string
}

// A list is a flag that may be given more than once.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("vm", flag.ContinueOnError)
	f.StringVar(&o.kernel, "kernel", "6.1", "Debian's kernel: "+strings.Join(vm.Kernels(), ", "))
	f.StringVar(&o.cache, "kernels", "", "`directory` where kernels are unpacked; default cni-guard/kernels in the user's cache")
	f.StringVar(&o.init, "init", "", "static `program` of vm/init; default vm-init beside this program, or one that is built")
	f.StringVar(&o.dir, "dir", "", "`directory` for the guest to start the program in, at the same path; default /, empty")
	f.Var(&o.files, "file", "`PATH[=GUESTPATH]`: a file or directory for the guest; may be repeated")
	f.Var(&o.env, "env", "`NAME[=VALUE]` for the program, without a value as it is here; may be repeated")
	f.Var(&o.sysctls, "sysctl", "`NAME=VALUE`, set before the program starts; may be repeated")
	f.Var(&o.programs, "programs", "dynamic programs of this machine for the guest, `separated` by commas; may be repeated")
	f.StringVar(&o.modules, "modules", strings.Join(vm.Network(), ","), "kernel modules, `separated` by commas")
	f.IntVar(&o.memory, "memory", 1024, "memory in `MiB`")
	f.IntVar(&o.cpus, "cpus", 2, "processors")
	f.DurationVar(&o.deadline, "deadline", 10*time.Minute, "when to give up")
	f.BoolVar(&o.ownTime, "own-time", false, "time passes with what the guest does, and at once where it waits")
	f.BoolVar(&o.console, "console", false, "show what the kernel prints")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.command = f.Args()
	if len(o.command) == 0 {
		return o, errors.New("no program to run: vm [FLAGS] -- PROGRAM ARGUMENTS")
	}
	return o, nil
}

// kernels returns the directory where kernels are unpacked.
func (o options) kernels() (string, error) {
	if o.cache != "" {
		return filepath.Abs(o.cache)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for kernels: %w: name one with -kernels", err)
	}
	return filepath.Join(cache, "cni-guard", "kernels"), nil
}
