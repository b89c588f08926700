// SPDX-License-Identifier: Apache-2.0

// Command cni-guard is a CNI plugin. As the last plugin of a chain it keeps the others
// from acting on a namespace that is not the pod's. The README in this directory has its
// configuration.
package main

import (
	"errors"
	"os"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	growStack()
	p := &plugin{passes: passThroughMode()}
	err := dispatcher{
		getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, about: about(), verbs: p.verbs(),
	}.serve()
	p.watch.done()
	finish(p.answer, err)
}

// growStack grows the stack of the main goroutine to 32 KiB, which a call needs, in
// one step. The Go runtime would double it four times, and copy it and adjust its
// pointers each time. That takes 8 % of the time of an ADD.
//
//go:noinline
func growStack() byte {
	var frame [24 << 10]byte
	return frame[len(os.Args)%len(frame)] // not a constant, so that there is a frame
}

// finish prints the answer and ends the program.
func finish(stdout []byte, err error) {
	if err != nil {
		_ = printableError(asCNIError(err)).Print()
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
	passes bool   // pass-through mode
	answer []byte // for standard output, on success
	watch  *watchdog
}

// watched wraps a verb with a watchdog. If the verb panics, it succeeds with the answer
// that it has so far: a bug must not fail a pod.
func (p *plugin) watched(answer verb) verb {
	return func(args *cmdArgs) error {
		p.watch = startWatchdog()
		return letThroughOnPanic(func() error { return answer(args) })
	}
}

// asCNIError returns the CNI error that an error is or wraps, and an internal error for
// any other.
func asCNIError(err error) *types.Error {
	var e *types.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	}
	return types.NewError(types.ErrInternal, err.Error(), "")
}

// orNil returns an untyped nil for a nil *types.Error.
func orNil(e *types.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// printableError returns an error without control characters. Kubelet shows it in events
// and in its journal, and it may quote file names and errors of other plugins.
func printableError(e *types.Error) *types.Error {
	return types.NewError(e.Code, printable.Error(errors.New(e.Msg)), printable.Error(errors.New(e.Details)))
}
