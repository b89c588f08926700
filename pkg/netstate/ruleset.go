// SPDX-License-Identifier: Apache-2.0

package netstate

import "errors"

// Rulesets is the part of a View that reads the packet filter. Errors are those of View.
type Rulesets interface {
	// Ruleset returns the rules of nf_tables and of iptables-legacy as the kernel has
	// them, undecoded; package firewall decodes them. Named sets are never read. With
	// a previous ruleset of the same namespace, the rules of nf_tables are taken from it
	// if their generation is still the same; nil reads all. Its cost grows with the rules;
	// no check of the pod path may call it.
	Ruleset(previous *Ruleset) (*Ruleset, error)
}

// A Ruleset is what a namespace has for a packet filter. It can be stored as JSON and
// judged elsewhere. The zero Ruleset has no rules.
type Ruleset struct {
	// Generation is the number that nf_tables gives its state; it changes with each
	// transaction.
	Generation uint32     `json:"generation,omitempty"`
	Chains     []NFTChain `json:"chains,omitempty"`
	// Sets are the anonymous sets of nf_tables, those that a rule brings along.
	Sets   []NFTSet      `json:"sets,omitempty"`
	Legacy []LegacyTable `json:"legacy,omitempty"`
	// Unread names what was left out, as a clause: "table ip nat of nf_tables, as it has
	// more than 60000 rules". A verdict that depends on it cannot be given.
	Unread []Unread `json:"unread,omitempty"`
	// Text is a ruleset as a person writes it; only the Fake has one. Each line begins with
	// nft, iptables, ip6tables, iptables-legacy or ip6tables-legacy, and goes on with a
	// line for nft -f, or with one of iptables-restore.
	Text string `json:"text,omitempty"`
}

// An Unread is a table of nf_tables, or of iptables-legacy, that was not read.
type Unread struct {
	Legacy bool   `json:"legacy,omitempty"`
	Family uint8  `json:"family"` // NFPROTO_IPV4 and so on
	Table  string `json:"table"`
	Reason string `json:"reason"`
}

// An NFTChain is a chain of nf_tables. Hook, Priority, Type and Policy are those of a base
// chain only.
type NFTChain struct {
	Family   uint8     `json:"family"` // NFPROTO_INET 1, IPV4 2, ARP 3, NETDEV 5, BRIDGE 7, IPV6 10
	Table    string    `json:"table"`
	Name     string    `json:"name"`
	Base     bool      `json:"base,omitempty"`
	Type     string    `json:"type,omitempty"` // filter, nat or route
	Hook     uint32    `json:"hook,omitempty"` // NF_INET_PRE_ROUTING 0, LOCAL_IN 1, FORWARD 2, LOCAL_OUT 3, POST_ROUTING 4
	Priority int32     `json:"priority,omitempty"`
	Drops    bool      `json:"drops,omitempty"` // the policy is drop
	Rules    []NFTRule `json:"rules,omitempty"`
}

// An NFTRule is a rule of nf_tables.
type NFTRule struct {
	Handle      uint64 `json:"handle"`
	Expressions []byte `json:"expressions,omitempty"` // NFTA_RULE_EXPRESSIONS as the kernel sent it
	Comment     string `json:"comment,omitempty"`
}

// An NFTSet is an anonymous set or map of nf_tables.
type NFTSet struct {
	Family uint8  `json:"family"`
	Table  string `json:"table"`
	Name   string `json:"name"`
	Flags  uint32 `json:"flags"` // NFT_SET_ANONYMOUS 1, CONSTANT 2, INTERVAL 4, MAP 8, CONCAT 128
	// Elements is NFTA_SET_ELEM_LIST_ELEMENTS of each message that the kernel sent; nil
	// if Unread.
	Elements [][]byte `json:"elements,omitempty"`
	Unread   bool     `json:"unread,omitempty"` // it has more elements than are read
}

// A LegacyTable is a table of iptables-legacy.
type LegacyTable struct {
	Six        bool      `json:"six,omitempty"`
	Name       string    `json:"name"`
	ValidHooks uint32    `json:"validHooks"` // bits by the number of the hook
	Entry      [5]uint32 `json:"entry"`      // offset of the first rule of each hook
	Underflow  [5]uint32 `json:"underflow"`  // offset of the policy of each hook
	Entries    []byte    `json:"entries"`    // struct ipt_entry or ip6t_entry, one after the other
}

// Bounds of what Ruleset reads.
const (
	// RulesetLimit is the number of rules of nf_tables up to which tables are read: first
	// those that filter, the small ones before the large.
	RulesetLimit = 60_000
	// LegacyRulesetLimit is the size in bytes up to which Ruleset reads a table of
	// iptables-legacy.
	LegacyRulesetLimit = 32 << 20
	// AnonymousSetLimit is the number of messages of elements that are read of an
	// anonymous set; a message has some hundreds of them.
	AnonymousSetLimit = 4
)

// errTooMany ends a dump that has more answers than are wanted.
var errTooMany = errors.New("there are more than are read")
