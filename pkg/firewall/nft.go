// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"bytes"
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

// A step is a condition or a statement of a rule.
type step interface {
	// run returns whether the rule goes on. A statement that ends the rule adds a verdict.
	run(m *machine) tri
	// quote adds the step to the text of the rule.
	quote(q *quoter)
}

// attributes iterates over netlink attributes, and ends with an attribute of type 0xffff
// where one is cut short.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			var kind uint16
			var value []byte
			if kind, value, b = nextAttribute(b); !yield(kind, value) {
				return
			}
		}
	}
}

// nextAttribute returns the first of the attributes in b, which has 4 bytes or more, and
// those behind it. Where there is a rule to decode for each of thousands it stands for the
// iterator, which allocates.
func nextAttribute(b []byte) (kind uint16, value, rest []byte) {
	size := int(binary.NativeEndian.Uint16(b))
	if size < 4 || size > len(b) {
		return cutShort, nil, nil
	}
	kind = binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	return kind, b[4:size], b[min((size+3)&^3, len(b)):]
}

const cutShort = 0xffff

// fields are the attributes of an expression by their type. Only those that a decoder
// takes are understood: what is left makes the expression one that is not known, as a newer
// kernel may say something else by it.
type fields struct {
	values  [16][]byte
	present uint16
	odd     bool // one has a higher type, is there twice, or is cut short
}

func fieldsOf(b []byte) fields {
	var f fields
	for len(b) >= 4 {
		var kind uint16
		var value []byte
		kind, value, b = nextAttribute(b)
		f.put(kind, value)
	}
	return f
}

func (f *fields) put(kind uint16, value []byte) {
	if int(kind) >= len(f.values) || f.present&(1<<kind) != 0 {
		f.odd = true
		return
	}
	f.values[kind] = value
	f.present |= 1 << kind
}

func (f *fields) has(kind uint16) bool { return f.present&(1<<kind) != 0 }

// left reports whether something was not taken.
func (f *fields) left() bool { return f.present != 0 || f.odd }

// ignore takes everything.
func (f *fields) ignore() { f.present, f.odd = 0, false }

func (f *fields) take(kind uint16) ([]byte, bool) {
	v, ok := f.values[kind], f.has(kind)
	f.values[kind] = nil
	f.present &^= 1 << kind
	return v, ok
}

// number takes a big-endian number; 0 if it is not there.
func (f *fields) number(kind uint16) uint32 {
	v, _ := f.take(kind)
	if len(v) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

func (f *fields) text(kind uint16) string {
	v, _ := f.take(kind)
	return text(v)
}

// data takes a value (NFTA_DATA_VALUE); nil if it is none.
func (f *fields) data(kind uint16) []byte {
	v, _ := f.take(kind)
	nested := fieldsOf(v)
	value, _ := nested.take(unix.NFTA_DATA_VALUE)
	if nested.left() || len(value) > registerBytes {
		return nil
	}
	return value
}

// text returns the bytes up to the first zero.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// register takes a register, and returns where its bytes begin; -1 if there is no such.
func (f *fields) register(kind uint16) int {
	v, ok := f.take(kind)
	if !ok || len(v) != 4 {
		return -1
	}
	return registerOffset(binary.BigEndian.Uint32(v))
}

// registerOffset is nft_parse_register of the kernel: registers 1 to 4 have 16 bytes,
// 8 and above 4 each, and both begin behind the verdict.
func registerOffset(r uint32) int {
	switch {
	case r >= 1 && r <= 4:
		return int(r) * 16
	case r >= 8 && r < 24:
		return 16 + int(r-8)*4
	}
	return -1
}

// inRegisters reports whether n bytes from an offset are registers of data.
func inRegisters(at, n int) bool { return at >= 16 && n > 0 && at+n <= registerBytes }

// decodeExpressions reads NFTA_RULE_EXPRESSIONS, each as it is asked for: most rules end at
// the first condition.
func decodeExpressions(b []byte, sets func(name string) *set) iter.Seq[step] {
	return func(yield func(step) bool) {
		for rest := b; len(rest) >= 4; {
			var kind uint16
			var value []byte
			kind, value, rest = nextAttribute(rest)
			var s step = opaque{"an expression that is cut short"}
			if kind == unix.NFTA_LIST_ELEM {
				f := fieldsOf(value)
				name, _ := f.take(unix.NFTA_EXPR_NAME)
				data, _ := f.take(unix.NFTA_EXPR_DATA)
				inner := fieldsOf(data)
				s = decodeExpression(name, &inner, sets)
				if s == nil || f.left() {
					s = opaque{"the expression " + text(name)}
				}
			}
			if !yield(s) {
				return
			}
		}
	}
}

// decodeExpression returns nil for what is not understood.
func decodeExpression(name []byte, f *fields, sets func(string) *set) step {
	s := decoded(name, f, sets)
	if f.left() {
		return nil
	}
	return s
}

func decoded(zeroTerminated []byte, f *fields, sets func(string) *set) step {
	name := zeroTerminated
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	switch string(name) { // no copy

	case "meta":
		return decodeMeta(f)
	case "payload":
		return decodePayload(f)
	case "ct":
		return decodeCT(f)
	case "fib":
		return decodeFIB(f)
	case "cmp":
		return decodeCmp(f)
	case "range":
		return decodeRange(f)
	case "bitwise":
		return decodeBitwise(f)
	case "byteorder":
		return decodeByteorder(f)
	case "immediate":
		return decodeImmediate(f)
	case "lookup":
		return decodeLookup(f, sets)
	case "match":
		match := f.text(unix.NFTA_MATCH_NAME)
		info, _ := f.take(unix.NFTA_MATCH_INFO)
		return decodeMatch(match, f.number(unix.NFTA_MATCH_REV), info)
	case "target":
		target := f.text(unix.NFTA_TARGET_NAME)
		info, _ := f.take(unix.NFTA_TARGET_INFO)
		return decodeTarget(target, f.number(unix.NFTA_TARGET_REV), info)
	case "reject":
		f.ignore()
		return verdictStep{verdict: verdict{kind: vReject}}
	case "masq", "redir", "nat":
		f.ignore()
		return verdictStep{verdict: verdict{kind: vTranslate}, text: string(name)}
	case "notrack":
		return notrack{}
	case "counter", "log", "last", "flow_offload", "secmark":
		f.ignore()
		return remark{string(name)}
	case "objref":
		object := f.number(unix.NFTA_OBJREF_IMM_TYPE)
		f.ignore()
		switch object {
		case 1, 3, 7, 8, 9: // counter, ct helper, ct timeout, secmark, ct expectation
			return remark{string(name)}
		case 2, 4, 5: // quota, limit, connlimit
			return doubtful{text: "a limit"}
		}
		return opaque{"the object of the rule"}
	case "limit", "quota", "connlimit", "dynset":
		f.ignore()
		return doubtful{text: string(name)}
	case "rt", "exthdr", "socket", "osf", "numgen", "hash", "xfrm", "tunnel":
		return decodeOther(string(name), f)
	}
	return nil
}

// decodeOther reads expressions that load what is not known of a packet.
func decodeOther(name string, f *fields) step {
	register := map[string]uint16{"rt": 1, "exthdr": 1, "socket": 2, "osf": 1, "numgen": 1, "hash": 2, "xfrm": 1, "tunnel": 2}[name]
	at := f.register(register)
	f.ignore()
	if at < 0 {
		return nil // a statement that changes the packet
	}
	return load{what: name, at: at, n: registerBytes - at, read: func(*machine) bits { return unknownBits(registerBytes - at) }}
}

// decodeVerdict reads NFTA_DATA_VERDICT.
func decodeVerdict(b []byte) (verdict, bool) {
	f := fieldsOf(b)
	raw, ok := f.take(unix.NFTA_DATA_VERDICT)
	if !ok || f.left() {
		return verdict{}, false
	}
	f = fieldsOf(raw)
	code, chain := int32(f.number(unix.NFTA_VERDICT_CODE)), f.text(unix.NFTA_VERDICT_CHAIN)
	if f.left() {
		return verdict{}, false
	}
	switch code {
	case -1:
		return verdict{kind: vContinue}, true
	case unix.NFT_JUMP:
		return verdict{kind: vJump, chain: chain}, true
	case unix.NFT_GOTO:
		return verdict{kind: vGoto, chain: chain}, true
	case unix.NFT_RETURN:
		return verdict{kind: vReturn}, true
	case 0:
		return verdict{kind: vDrop}, true
	case 1:
		return verdict{kind: vAccept}, true
	}
	return verdict{kind: vUnknown}, true // queue, stolen
}
