// SPDX-License-Identifier: Apache-2.0

package netstate

// A Kind is what a path given as CNI_NETNS turned out to be. The zero Kind is
// Unknown, which is neither good nor bad.
type Kind uint8

const (
	Unknown  Kind = iota // it could not be told; Netns.Err says why
	Missing              // the path is empty, or nothing is there
	NotNetns             // something is there, but no network namespace
	Node                 // the namespace that the runtime and this process run in
	Sandbox              // a network namespace other than the node's
)

// String gives the kind in one or two words.
func (k Kind) String() string {
	switch k {
	case Missing:
		return "missing"
	case NotNetns:
		return "no namespace"
	case Node:
		return "node"
	case Sandbox:
		return "sandbox"
	default:
		return "unknown"
	}
}
