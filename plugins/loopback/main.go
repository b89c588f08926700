// SPDX-License-Identifier: Apache-2.0

// Command loopback is a CNI plugin that replaces the reference loopback plugin. It
// returns the same results, refuses the node's namespace before it changes anything, and
// its DEL changes nothing.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	p := new(plugin)
	err := skel.PluginMainFuncsWithError(skel.CNIFuncs{
		Add:    checked(p.add),
		Del:    checked(del),
		Check:  checked(check),
		Status: checked(nothing),
		GC:     checked(nothing),
	}, version.All, "CNI plugin loopback "+build+" of cni-guard: brings up a sandbox's lo, and leaves the node's alone")
	if err != nil {
		_ = types.NewError(err.Code, printable.Error(errors.New(err.Msg)), printable.Error(errors.New(err.Details))).Print()
		os.Exit(1)
	}
	_, _ = os.Stdout.Write(p.answer.Bytes())
}

// A plugin is one call of the program.
type plugin struct {
	answer bytes.Buffer // for standard output, on success
}

// checked wraps a verb that has checked the namespace. skel would open the path a second
// time after the verb, and print an error behind a result. A panic becomes an error: the
// library panics for some results with null in them.
func checked(verb func(*skel.CmdArgs) error) func(*skel.CmdArgs) error {
	return func(args *skel.CmdArgs) (err error) {
		defer func() {
			if cause := recover(); cause != nil {
				err = types.NewError(types.ErrInternal, fmt.Sprintf("loopback: bug: panic: %v", cause), "")
			}
			args.NetnsOverride = "TRUE"
		}()
		return verb(args)
	}
}

// overrides reads CNI_NETNS_OVERRIDE as skel does.
func overrides(value string) bool { return value == "1" || strings.EqualFold(value, "true") }

// del changes nothing: lo vanishes with its sandbox, and the path may lead to the node or
// to another pod by now.
func del(*skel.CmdArgs) error { return nil }

// nothing answers STATUS and GC: the plugin needs nothing and stores nothing.
func nothing(*skel.CmdArgs) error { return nil }
