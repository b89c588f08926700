// SPDX-License-Identifier: Apache-2.0

// Command cni-guard is a CNI plugin that stands last in a chain and keeps the
// other plugins from acting on a namespace that is not the pod's. See the
// README beside this file for its configuration.
package main

import (
	"os"
	"slices"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	p := &plugin{passes: passing()}
	err := skel.PluginMainFuncsWithError(p.verbs(), version.All, about())
	if err != nil && !p.called {
		err = p.despiteConfig(err)
	}
	p.watch.done()
	finish(p.answer, orNil(err))
}

// finish answers and ends the program.
func finish(stdout []byte, err error) {
	if err != nil {
		_ = safe(asCNIError(err)).Print()
		os.Exit(1)
	}
	_, _ = os.Stdout.Write(stdout)
	os.Exit(0)
}

func about() string {
	return "CNI plugin cni-guard " + build + ": guards the pod network of this node\n" +
		"The container runtime calls it, as the last plugin of a conflist; by hand, use guardctl."
}

// A plugin is one call of the program.
type plugin struct {
	passes bool   // nothing is judged any more
	called bool   // a verb was reached
	answer []byte // what goes to standard output on success
	watch  *watchdog
}

// guarded wraps a verb. A panic of ours must not fail a pod: the verb then
// succeeds with what it had answered so far.
func (p *plugin) guarded(verb func(*skel.CmdArgs) error) func(*skel.CmdArgs) error {
	return func(args *skel.CmdArgs) (err error) {
		p.called = true
		p.watch = startWatchdog()
		defer func() {
			if cause := recover(); cause != nil {
				printable.Fprintf(os.Stderr, "cni-guard: bug: panic: %v; the call is let through unguarded\n", cause)
				err = nil
			}
			// The namespace was judged, once; skel would open the path again, and
			// print a second document where it does not like it.
			args.NetnsOverride = "TRUE"
		}()
		return verb(args)
	}
}

// despiteConfig answers a DEL or GC whose configuration skel could not read:
// they must not fail for that (SPEC 1.1, "DEL", "GC"). The namespace is judged
// all the same.
func (p *plugin) despiteConfig(cause *types.Error) *types.Error {
	unreadable := slices.Contains([]uint{types.ErrDecodingFailure, types.ErrInvalidNetworkConfig}, cause.Code)
	if !unreadable {
		return cause
	}
	switch os.Getenv("CNI_COMMAND") {
	case "GC":
		return nil
	case "DEL":
		return asCNIError(p.verbs().Del(argsFromEnv()))
	}
	return types.NewError(cause.Code, "cni-guard: "+cause.Msg, cause.Details)
}

// argsFromEnv gives the arguments that need no configuration. skel has
// validated them before it looked at the configuration.
func argsFromEnv() *skel.CmdArgs {
	return &skel.CmdArgs{
		ContainerID:   os.Getenv("CNI_CONTAINERID"),
		Netns:         os.Getenv("CNI_NETNS"),
		IfName:        os.Getenv("CNI_IFNAME"),
		Args:          os.Getenv("CNI_ARGS"),
		Path:          os.Getenv("CNI_PATH"),
		NetnsOverride: os.Getenv("CNI_NETNS_OVERRIDE"),
	}
}
