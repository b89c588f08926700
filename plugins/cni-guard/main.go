// SPDX-License-Identifier: Apache-2.0

// Command cni-guard is a CNI plugin that stands last in a chain and keeps the
// other plugins from acting on a namespace that is not the pod's. See the
// README beside this file for its configuration.
package main

import "os"

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	growStack()
	p := &plugin{passes: passing()}
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
	answer []byte // what goes to standard output on success
	watch  *watchdog
}

// guarded wraps a verb. A panic of ours must not fail a pod: the verb then
// succeeds with what it had answered so far.
func (p *plugin) guarded(answer verb) verb {
	return func(args *cmdArgs) error {
		p.watch = startWatchdog()
		return unlessPanic(func() error { return answer(args) })
	}
}
