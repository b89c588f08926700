// SPDX-License-Identifier: Apache-2.0

package netstate

import "errors"

// Chains is the part of a View that knows rules by the name of their chain. Errors
// are those of View; a kernel without the table, or without the ruleset, has no chain.
type Chains interface {
	// NFTChain reports whether nf_tables has a chain. iptables-nft has its chains
	// there, too. It is one request and one answer, however many rules there are.
	NFTChain(Chain) (bool, error)
	// LegacyChain reports whether iptables-legacy has a chain. The kernel has no
	// question for that, so that its cost grows with the table; the error wraps
	// ErrLargeTable where the table is larger than LegacyTableLimit.
	LegacyChain(Chain) (bool, error)
}

// A Chain is the place and the name of a chain.
type Chain struct {
	Six   bool   // the family: ip6, else ip
	Table string // "nat"
	Name  string // "KUBE-SERVICES"
}

// LegacyTableLimit is the size in bytes up to which LegacyChain reads a table: some
// 1,500 rules.
const LegacyTableLimit = 512 << 10

// ErrLargeTable says that a table of iptables-legacy is too large to be read.
var ErrLargeTable = errors.New("the table is too large to be read")
