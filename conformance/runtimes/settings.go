// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"context"
	"time"
)

// Settings are options of a runtime that its operators may set. The zero value has
// its defaults. A runtime ignores what it has no option for; the scenarios that set
// something name such runtimes in NotOn.
type Settings struct {
	DefaultNetwork    DefaultNetwork
	StatusGracePeriod time.Duration // cni_status_grace_period of CRI-O; 0 asks no more after the first success
	InternalLoopback  bool          // use_internal_loopback of containerd 2: no plugin is called for lo
}

// A Configurable is a Runtime with such options.
type Configurable interface {
	// Set is for the next start.
	Set(Settings)
}

// A DefaultNetwork is cni_default_network of CRI-O: the network that counts, whichever
// file sorts first, and where CRI-O finds its name. The zero value names none.
type DefaultNetwork struct {
	Name string
	By   Source
}

// A Source is where a runtime finds an option.
type Source string

// The sources. Each overrides those before it.
const (
	ByFile        Source = "file"
	ByEnvironment Source = "environment"
	ByFlag        Source = "flag"
)

// A Forgetter is a Runtime that may lose its notes of pods while it does not run,
// and keeps the attachment cache of libcni, as `crio wipe` leaves it.
type Forgetter interface {
	Forget() error
}

// A Misleader is a Runtime that hands plugins a path which may lead elsewhere as
// early as ADD.
type Misleader interface {
	// RunInto makes a pod whose path leads to that namespace when ADD is called.
	RunInto(ctx context.Context, name, namespace string) (Pod, error)
}

// A UserNamespacer is a Runtime that can run a pod whose root is an ordinary user
// of the node.
type UserNamespacer interface {
	RunInUserNamespace(ctx context.Context, name string) (Pod, error)
}
