// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A Check is a check of a Target.
type Check = guard.Check[Target]

// A Target is the state that checks read, and change where they repair.
type Target struct {
	ContainerID string          // as the runtime names the sandbox; "" where there is no pod
	IfName      string          // the interface that the attachment has in the sandbox
	Netns       *netstate.Netns // CNI_NETNS, as opened; nil where there is no pod
	Pod         netstate.View   // the sandbox; nil where there is no pod, else never nil
	Node        netstate.View   // the node's own namespace; never nil
	Want        Interface       // IfName as the result describes it; zero: not described

	// Recorded is the namespace cookie that ADD recorded in this boot; 0: unknown.
	Recorded uint64
	// Cookie returns the cookie of the namespace that Netns holds; nil where there is no
	// pod.
	Cookie func() (uint64, error)
	// Holder returns the container whose live record of this boot has the cookie, if
	// several have it ContainerID; the zero Holder if no record has it. It reads all
	// records of the node. nil where there are no records.
	Holder func(ctx context.Context, cookie uint64) (Holder, error)

	// Attached returns the attachments of this boot that are on record, for the stages
	// that have no pod; nil where there are no records.
	Attached func(context.Context) ([]Attachment, error)

	// Conf says where the network configuration comes from.
	Conf Conf
	// What was read of Conf, for all checks of a run; nil before that.
	detected atomic.Pointer[detected]
	found    atomic.Pointer[foundConfDir]

	// link is the pod's interface once it was looked up.
	link atomic.Pointer[netstate.Link]
	// end is the node's end of the pod's interface once it was looked up.
	end atomic.Pointer[nodeEnd]
	// What the checks of the node have read of its network; nil before that.
	network   atomic.Pointer[nodeNetwork]
	tableMain atomic.Pointer[[]netstate.Route]
	ruleset   atomic.Pointer[firewall.Rules]
	overlay   atomic.Pointer[nodeTunnels]
	// portsDue is whether this run looks at the ports of the pods on record.
	portsDue onceBool

	// ReturnPaths returns the interfaces by which packets come back to pods; nil where
	// they may not be read, as the cost grows with the node. The function of that name does it.
	ReturnPaths func() ([]ReturnPath, error)
	// SourceDestCheck asks AWS for the network interface with a MAC address; nil where
	// AWS may not be asked.
	SourceDestCheck func(context.Context, net.HardwareAddr) (CloudInterface, error)
	// PeersProbed is given the peers of the node's tunnels and, of those that a check has
	// probed through them, the results; nil where they are not counted.
	PeersProbed func(peers []tunnel.Peer, results []tunnel.ProbeResult)
	// WatchCounters reads counters until one is greater than it was, or the time is up; nil
	// for the function of that name, which waits. A recorded node has the readings already.
	WatchCounters func(ctx context.Context, were map[string]uint64, within time.Duration) (map[string]uint64, error)
	// TryInotify makes an inotify instance with a watch, as root; nil where it may not be
	// tried. The function of that name does it.
	TryInotify func() error
	// Thorough says that no runtime waits for the answer, so that a check may read what grows
	// with the node.
	Thorough bool

	// Options are those that the configuration sets (guard.Settings.Options).
	Options []guard.Options
	// Root is the directory that is the root of the node's file system: what checks read
	// of /etc, /run and /var lies below it. "": that of this process.
	Root string
	// Files are the files of the node; nil for those of this machine. Conf.Runtime.Files
	// has the same. With other files than this machine's, checks write no state.
	Files hostfs.FS
	// Now is the time; nil for the clock. It is another one where a recorded node is judged.
	Now func() time.Time
	// StateDir is the directory for state until the next boot. Each check uses a
	// subdirectory of its own name. "": none.
	StateDir string

	// Adding says that the call is an ADD, before which the other plugins of the chain
	// have acted.
	Adding bool
	// Override says that the caller intends to use the node's namespace
	// (CNI_NETNS_OVERRIDE).
	Override bool
}

// An Attachment is an attachment on record. Its pod may be gone.
type Attachment struct {
	Pod    string // "namespace/name", or the container where Kubernetes did not call
	IfName string
	Interface
}

// An Interface is an interface as a CNI result describes it. A zero field means that the
// result does not state it.
type Interface struct {
	MAC   string // as net.HardwareAddr prints it
	Addrs []netip.Prefix
	// Links are the interfaces of the node that the result names, such as a bridge and the
	// node's end of a veth.
	Links []string
	// Optional says that the kernel may lack the interface in the sandbox: a program drives
	// the device in user space, or it is in a virtual machine.
	Optional bool
}

// now returns the time for everything that a check compares with recorded times.
func (t *Target) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// options returns the options of type O, a pointer to a struct: those that the
// configuration sets, or else the defaults.
func options[O guard.Options](t *Target) O { return guard.OptionsOf[O](t.Options) }

// prefixList is an option that lists network prefixes.
func prefixList(field *[]netip.Prefix) guard.Value {
	return guard.List(field, nil, "10.244.0.0/16", parsePrefix)
}

// parsePrefix reads a network prefix. An address with bits beyond the prefix length is
// an error: a typo in an address must not become another network.
func parsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, fmt.Errorf("%q is not a prefix such as 10.244.0.0/16: %w", text, err)
	}
	if prefix != prefix.Masked() {
		return prefix, fmt.Errorf("%q has bits beyond its prefix length; the network is %s", text, prefix.Masked())
	}
	return prefix, nil
}
