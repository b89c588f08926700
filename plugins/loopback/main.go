// SPDX-License-Identifier: Apache-2.0

// Command loopback is a CNI plugin that takes the place of the reference
// loopback plugin. It gives the same results, refuses the node's namespace
// before it touches it, and its DEL never sets anything down.
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
		Add:    judged(p.add),
		Del:    judged(del),
		Check:  judged(check),
		Status: judged(nothing),
		GC:     judged(nothing),
	}, version.All, "CNI plugin loopback "+build+" of cni-guard: brings up a sandbox's lo, and leaves the node's alone")
	if err != nil {
		_ = types.NewError(err.Code, printable.Error(errors.New(err.Msg)), printable.Error(errors.New(err.Details))).Print()
		os.Exit(1)
	}
	_, _ = os.Stdout.Write(p.answer.Bytes())
}

// A plugin is one call of the program.
type plugin struct {
	answer bytes.Buffer // what goes to standard output on success
}

// judged tells skel that the namespace was judged: it would open the path a
// second time after the verb, and print an error behind a result. It makes an
// error of a panic: the library has some for results with null in them.
func judged(verb func(*skel.CmdArgs) error) func(*skel.CmdArgs) error {
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

// del leaves lo as it is: a sandbox's goes with the sandbox, and the path may
// lead to the node or to another pod by now.
func del(*skel.CmdArgs) error { return nil }

// nothing answers STATUS and GC: the plugin needs nothing and keeps nothing.
func nothing(*skel.CmdArgs) error { return nil }
