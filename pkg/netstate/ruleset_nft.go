// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Ruleset implements View. What one transaction of nf_tables changes is seen whole or not
// at all: the generation is compared before and after.
func (l *Live) Ruleset(previous *Ruleset) (*Ruleset, error) {
	const attempts = 3
	for i := 1; ; i++ {
		r, err := l.ruleset(previous)
		if errors.Is(err, nl.ErrDumpInterrupted) && i < attempts {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the rules of the packet filter: %w", err)
		}
		return r, nil
	}
}

func (l *Live) ruleset(previous *Ruleset) (*Ruleset, error) {
	r := &Ruleset{}
	if err := l.enter(r.readLegacy); err != nil {
		return nil, err
	}
	before, err := l.generation()
	switch {
	case isAbsent(err):
		return r, nil
	case err != nil:
		return nil, err
	case previous != nil && previous.Generation == before && before != 0:
		r.Generation, r.Chains, r.Sets = before, previous.Chains, previous.Sets
		for _, u := range previous.Unread {
			if !u.Legacy {
				r.Unread = append(r.Unread, u)
			}
		}
		return r, nil
	}
	r.Generation = before
	if err := l.readNFT(r); err != nil {
		return nil, err
	}
	after, err := l.generation()
	if err == nil && after != before {
		err = nl.ErrDumpInterrupted
	}
	return r, err
}

// isAbsent reports whether an error means that the kernel has no nf_tables, or not what
// was asked for. nfnetlink answers EINVAL for a subsystem that the kernel does not have.
func isAbsent(err error) bool {
	for _, absent := range []error{unix.ENOENT, unix.EINVAL, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT} {
		if errors.Is(err, absent) {
			return true
		}
	}
	return false
}

// nftQuestion asks nf_tables; family 0 is all of them.
func nftQuestion(kind int, family uint8, attributes ...nl.NetlinkRequestData) question {
	parts := append([]nl.NetlinkRequestData{&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0}}, attributes...)
	return question{kind: unix.NFNL_SUBSYS_NFTABLES<<8 | kind, parts: parts}
}

// askNFT puts a question on a socket of its own, so that an answer of which no more is
// wanted can be left. enough reports that; nil is never.
func (l *Live) askNFT(q question, flags int, answer func(family uint8, attributes []byte), enough func() bool) error {
	s, err := l.openNetfilter()
	if err != nil {
		return err
	}
	defer s.close()
	s.enough = enough
	return s.request(q, flags, l.patience(), func(b []byte) {
		if len(b) >= nl.SizeofNfgenmsg {
			answer(b[0], b[nl.SizeofNfgenmsg:])
		}
	})
}

func (l *Live) generation() (generation uint32, err error) {
	err = l.askNFT(nftQuestion(unix.NFT_MSG_GETGEN, unix.AF_UNSPEC), 0, func(_ uint8, b []byte) {
		for kind, value := range attributes(b) {
			if kind == unix.NFTA_GEN_ID {
				generation = bigEndian32(value)
			}
		}
	}, nil)
	return generation, err
}

// readNFT reads chains, rules and anonymous sets.
func (l *Live) readNFT(r *Ruleset) error {
	var tables []nftTable
	err := l.askNFT(nftQuestion(unix.NFT_MSG_GETCHAIN, unix.AF_UNSPEC), unix.NLM_F_DUMP, func(family uint8, b []byte) {
		chain, uses := parseNFTChain(family, b)
		r.Chains = append(r.Chains, chain)
		tables = addToTable(tables, chain, uses)
	}, nil)
	if err != nil {
		return fmt.Errorf("dump chains: %w", err)
	}
	// The tables that only translate addresses come last: they are the largest, and the
	// least is lost without them.
	slices.SortStableFunc(tables, func(a, b nftTable) int {
		return cmp.Or(cmp.Compare(b2i(a.onlyNAT), b2i(b.onlyNAT)), cmp.Compare(a.rules, b.rules))
	})
	left := RulesetLimit
	for _, t := range tables {
		if t.rules > left {
			r.Unread = append(r.Unread, Unread{Family: t.family, Table: t.name, Reason: fmt.Sprintf("it has some %d rules", t.rules)})
			continue
		}
		left -= t.rules
		if err := l.readTable(r, t); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("dump rules of table %s: %w", t.name, err)
		}
	}
	return l.readSets(r)
}

// An nftTable is a table, and about how many rules it has.
type nftTable struct {
	family  uint8
	name    string
	rules   int
	onlyNAT bool // its base chains are of type nat
}

func addToTable(tables []nftTable, c NFTChain, uses int) []nftTable {
	at := slices.IndexFunc(tables, func(t nftTable) bool { return t.family == c.Family && t.name == c.Table })
	if at < 0 {
		at = len(tables)
		tables = append(tables, nftTable{family: c.Family, name: c.Table, onlyNAT: true})
	}
	tables[at].rules += uses
	tables[at].onlyNAT = tables[at].onlyNAT && (!c.Base || c.Type == "nat")
	return tables
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// parseNFTChain reads a chain, and how often it is used: by rules that are in it, and by
// those that jump to it.
func parseNFTChain(family uint8, b []byte) (c NFTChain, uses int) {
	c.Family = family
	for kind, value := range attributes(b) {
		switch kind {
		case unix.NFTA_CHAIN_TABLE:
			c.Table = cString(value)
		case unix.NFTA_CHAIN_NAME:
			c.Name = cString(value)
		case unix.NFTA_CHAIN_TYPE:
			c.Type = cString(value)
		case unix.NFTA_CHAIN_USE:
			uses = int(bigEndian32(value))
		case unix.NFTA_CHAIN_POLICY:
			c.Drops = bigEndian32(value) == 0 // NF_DROP
		case unix.NFTA_CHAIN_HOOK:
			c.Base = true
			for kind, value := range attributes(value) {
				switch kind {
				case unix.NFTA_HOOK_HOOKNUM:
					c.Hook = bigEndian32(value)
				case unix.NFTA_HOOK_PRIORITY:
					c.Priority = int32(bigEndian32(value))
				}
			}
		}
	}
	c.Drops = c.Drops && c.Base
	return c, uses
}

// readTable adds the rules of a table to their chains.
func (l *Live) readTable(r *Ruleset, t nftTable) error {
	chains := map[string]*NFTChain{}
	for i := range r.Chains {
		if c := &r.Chains[i]; c.Family == t.family && c.Table == t.name {
			chains[c.Name] = c
		}
	}
	var kept store
	q := nftQuestion(unix.NFT_MSG_GETRULE, t.family, nl.NewRtAttr(unix.NFTA_RULE_TABLE, nl.ZeroTerminated(t.name)))
	return l.askNFT(q, unix.NLM_F_DUMP, func(family uint8, b []byte) {
		table, chain, rule := parseNFTRule(b)
		if c := chains[string(chain)]; c != nil && family == t.family && string(table) == t.name {
			rule.Expressions = kept.copy(rule.Expressions)
			c.Rules = append(c.Rules, rule)
		}
	}, nil)
}

// A store keeps copies of many small byte slices in few large ones.
type store struct{ free []byte }

func (s *store) copy(b []byte) []byte {
	const large = 64 << 10
	if len(b) > large/4 {
		return slices.Clone(b)
	}
	if len(s.free)+len(b) > cap(s.free) {
		s.free = make([]byte, 0, large)
	}
	from := len(s.free)
	s.free = append(s.free, b...)
	return s.free[from:len(s.free):len(s.free)]
}

// parseNFTRule returns names and expressions that are parts of b.
func parseNFTRule(b []byte) (table, chain []byte, r NFTRule) {
	for kind, value := range attributes(b) {
		switch kind {
		case unix.NFTA_RULE_TABLE:
			table = untilZero(value)
		case unix.NFTA_RULE_CHAIN:
			chain = untilZero(value)
		case unix.NFTA_RULE_HANDLE:
			if len(value) >= 8 {
				r.Handle = binary.BigEndian.Uint64(value)
			}
		case unix.NFTA_RULE_EXPRESSIONS:
			r.Expressions = value
		case unix.NFTA_RULE_USERDATA:
			r.Comment = ruleComment(value)
		}
	}
	return table, chain, r
}

// ruleComment returns the comment among the user data of a rule, which is a list of
// type, length and value; libnftnl gives comments the type 0.
func ruleComment(b []byte) string {
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		if b[0] == 0 {
			return cString(b[2 : 2+int(b[1])])
		}
		b = b[2+int(b[1]):]
	}
	return ""
}

// Flags of a set (linux/netfilter/nf_tables.h).
const nftSetAnonymous = 1

// maxAnonymousSets bounds how many anonymous sets are read.
const maxAnonymousSets = 8192

// readSets reads the anonymous sets. Of named ones only the names come: they can have
// any number of elements.
func (l *Live) readSets(r *Ruleset) error {
	err := l.askNFT(nftQuestion(unix.NFT_MSG_GETSET, unix.AF_UNSPEC), unix.NLM_F_DUMP, func(family uint8, b []byte) {
		s := NFTSet{Family: family}
		for kind, value := range attributes(b) {
			switch kind {
			case unix.NFTA_SET_TABLE:
				s.Table = cString(value)
			case unix.NFTA_SET_NAME:
				s.Name = cString(value)
			case unix.NFTA_SET_FLAGS:
				s.Flags = bigEndian32(value)
			}
		}
		if s.Flags&nftSetAnonymous != 0 {
			r.Sets = append(r.Sets, s)
		}
	}, nil)
	if err != nil {
		return fmt.Errorf("dump sets: %w", err)
	}
	for i := range r.Sets {
		if i >= maxAnonymousSets {
			r.Sets[i].Unread = true
		} else if err := l.readElements(&r.Sets[i]); err != nil {
			return fmt.Errorf("dump elements of an anonymous set: %w", err)
		}
	}
	return nil
}

func (l *Live) readElements(s *NFTSet) error {
	q := nftQuestion(unix.NFT_MSG_GETSETELEM, s.Family,
		nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_TABLE, nl.ZeroTerminated(s.Table)), nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_SET, nl.ZeroTerminated(s.Name)))
	err := l.askNFT(q, unix.NLM_F_DUMP, func(_ uint8, b []byte) {
		for kind, value := range attributes(b) {
			if kind == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				s.Elements = append(s.Elements, slices.Clone(value))
			}
		}
	}, func() bool { return len(s.Elements) > AnonymousSetLimit })
	if errors.Is(err, errTooMany) {
		s.Elements, s.Unread, err = nil, true, nil
	}
	if errors.Is(err, unix.ENOENT) {
		err = nl.ErrDumpInterrupted // the rule is gone
	}
	return err
}

// cString returns the text up to the first zero, as a copy.
func cString(b []byte) string { return string(untilZero(b)) }

// untilZero returns the bytes before the first zero.
func untilZero(b []byte) []byte {
	text, _, _ := bytes.Cut(b, []byte{0})
	return text
}

// bigEndian32 returns 0 if the attribute is too short.
func bigEndian32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}
