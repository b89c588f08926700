// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"net/netip"
	"sync/atomic"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Check is a check of a Target.
type Check = guard.Check[Target]

// A Target is what checks may look at, and change where they repair.
type Target struct {
	ContainerID string          // as the runtime names the sandbox; "" where there is no pod
	IfName      string          // the interface that the attachment has in the sandbox
	Netns       *netstate.Netns // what CNI_NETNS turned out to be; nil where there is no pod
	Pod         netstate.View   // the sandbox; nil where there is no pod, else never nil
	Node        netstate.View   // the node's own namespace; never nil
	Want        Interface       // what the result says of IfName; zero where it says nothing

	// Recorded is the cookie of the namespace that ADD got in this boot; 0 where
	// it is not known, which is no evidence.
	Recorded uint64
	// Cookie gives the cookie of the namespace that Netns holds; nil where there
	// is no pod.
	Cookie func() (uint64, error)
	// Holder returns the container whose live record of this boot has the cookie,
	// and prefers ContainerID; the zero Holder where no record has it. It reads all
	// records of the node. nil where there are none.
	Holder func(ctx context.Context, cookie uint64) (Holder, error)

	// Attached returns the attachments of this boot that are on record, for the stages
	// that have no pod; nil where there are no records.
	Attached func(context.Context) ([]Attachment, error)

	// Conf is where the network configuration comes from.
	Conf Conf
	// found is the conf dir once it was read, for all checks of a run.
	found atomic.Pointer[folder]

	// end is the node's end of the pod's interface once it was looked up.
	end atomic.Pointer[nodeEnd]
	// portsDue is whether this run looks at the ports of the pods on record.
	portsDue onceBool

	// ReturnPaths returns the interfaces by which packets come back to pods; nil where nobody
	// may look, as that grows with the node. The function of that name does it.
	ReturnPaths func() ([]ReturnPath, error)
	// Thorough says that no runtime waits for the answer, so that a check may read what grows
	// with the node.
	Thorough bool

	// Options are those that the configuration sets (guard.Settings.Options).
	Options []guard.Options
	// Root is the directory that is the root of the node's file system: what checks read
	// of /etc, /run and /var lies below it. "": that of this process.
	Root string
	// StateDir is the folder where checks may remember something until the next
	// boot, each below a folder of its own name; "" where there is none.
	StateDir string

	// Adding says that the call is an ADD, before which the other plugins of the chain
	// have acted.
	Adding bool
	// Override says that the caller means the namespace that it names, though it
	// is the node's (CNI_NETNS_OVERRIDE).
	Override bool
}

// An Attachment is an attachment on record. Its pod may be gone.
type Attachment struct {
	Pod    string // "namespace/name", or the container where Kubernetes did not call
	IfName string
	Interface
}

// An Interface is what a CNI result says of an interface. The zero Interface
// says nothing, and so does each zero field.
type Interface struct {
	MAC   string // as net.HardwareAddr prints it
	Addrs []netip.Prefix
	// Links are the interfaces of the node that the result names, such as a bridge and the
	// node's end of a veth.
	Links []string
	// Optional says that the kernel need not have the interface in the sandbox: it is
	// a device that a program drives in user space, or is in a virtual machine.
	Optional bool
}
