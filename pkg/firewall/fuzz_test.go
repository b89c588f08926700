// SPDX-License-Identifier: Apache-2.0

package firewall_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// judgeAll judges a few packets, and puts what drops them into words.
func judgeAll(r *netstate.Ruleset) {
	rules := firewall.Decode(r)
	for _, p := range []firewall.Packet{
		{Hook: firewall.Input, Protocol: 17, DstPort: 8472, In: firewall.Interface{Name: "eth0", Index: 2}, Src: netip.MustParsePrefix("192.0.2.2/32")},
		{Hook: firewall.Forward, Protocol: 6},
		{Hook: firewall.Output, Protocol: 4, States: []firewall.State{firewall.New, firewall.Established}},
		{Hook: firewall.Input, Six: true, Protocol: 58, Dst: netip.MustParsePrefix("fd00::/64")},
	} {
		if v := rules.Judge(p); v.Rule != nil {
			_ = v.Rule.String()
			rules.JudgeAccepting(p, v.Rule)
		}
	}
}

// attribute is a netlink attribute.
func attribute(kind uint16, parts ...[]byte) []byte {
	var value []byte
	for _, p := range parts {
		value = append(value, p...)
	}
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func expression(name string, data ...[]byte) []byte {
	return attribute(1, attribute(1, append([]byte(name), 0)), attribute(2, data...))
}

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// verdictOf is the expression "immediate" with a verdict.
func verdictOf(code int32) []byte {
	return expression("immediate", attribute(1, be32(0)), attribute(2, attribute(2, attribute(1, be32(uint32(code))))))
}

func filterInput(expressions []byte) *netstate.Ruleset {
	return &netstate.Ruleset{Chains: []netstate.NFTChain{
		{Family: 1, Table: "t", Name: "in", Base: true, Type: "filter", Hook: 1, Rules: []netstate.NFTRule{{Handle: 2, Expressions: expressions}}},
		{Family: 1, Table: "t", Name: "x", Rules: []netstate.NFTRule{{Handle: 3, Expressions: verdictOf(0)}}},
	}}
}

// What this program does not know never decides. With an expression that a newer kernel
// may have, or an attribute, the rule may drop the packet or not.
func TestUnknownCannotTell(t *testing.T) {
	packet := firewall.Packet{Hook: firewall.Input, Protocol: 17, DstPort: 8472}
	for name, c := range map[string]struct {
		expressions []byte
		want        firewall.Result
	}{
		"drop":                       {verdictOf(0), firewall.Dropped},
		"accept":                     {verdictOf(1), firewall.Accepted},
		"an unknown expression":      {append(expression("quantum", attribute(1, be32(1))), verdictOf(0)...), firewall.CannotTell},
		"an unknown attribute":       {append(expression("meta", attribute(1, be32(1)), attribute(2, be32(16)), attribute(9, be32(1))), verdictOf(0)...), firewall.CannotTell},
		"cut short":                  {verdictOf(0)[:10], firewall.CannotTell},
		"an unknown match":           {append(expression("match", attribute(1, []byte("new\x00")), attribute(2, be32(0)), attribute(3, make([]byte, 8))), verdictOf(0)...), firewall.CannotTell},
		"an unknown target":          {expression("target", attribute(1, []byte("NEW\x00")), attribute(2, be32(0)), attribute(3, make([]byte, 8))), firewall.CannotTell},
		"a queue":                    {verdictOf(3), firewall.CannotTell},
		"a jump to a chain not read": {expression("immediate", attribute(1, be32(0)), attribute(2, attribute(2, attribute(1, be32(0xfffffffd)), attribute(2, []byte("gone\x00"))))), firewall.CannotTell},
		"a limit":                    {append(expression("limit", attribute(1, make([]byte, 8))), verdictOf(0)...), firewall.CannotTell},
		"a counter":                  {append(expression("counter", attribute(1, make([]byte, 8))), verdictOf(0)...), firewall.Dropped},
		"a named set":                {append(append(expression("meta", attribute(2, be32(16)), attribute(1, be32(1))), expression("lookup", attribute(1, []byte("named\x00")), attribute(2, be32(1)))...), verdictOf(0)...), firewall.CannotTell},
	} {
		t.Run(name, func(t *testing.T) {
			if v := firewall.Decode(filterInput(c.expressions)).Judge(packet); v.Result != c.want {
				t.Errorf("%s (%v, %s), want %s", v.Result, v.Rule, v.Reason, c.want)
			}
		})
	}
}

// What comes after a condition that is not certain may decide all the same.
func TestLaterDropDecides(t *testing.T) {
	r := filterInput(append(expression("limit", attribute(1, make([]byte, 8))), verdictOf(0)...))
	r.Chains[0].Rules = append(r.Chains[0].Rules, netstate.NFTRule{Handle: 4, Expressions: verdictOf(0)})
	v := firewall.Decode(r).Judge(firewall.Packet{Hook: firewall.Input, Protocol: 17})
	if v.Result != firewall.Dropped || v.Rule.Number != 2 || v.Alone {
		t.Errorf("%s by %v, alone %t; want dropped by rule 2, and not alone", v.Result, v.Rule, v.Alone)
	}
}

func FuzzExpressions(f *testing.F) {
	f.Add(verdictOf(0), []byte{})
	f.Add(append(expression("meta", attribute(2, be32(16)), attribute(1, be32(1))), expression("cmp", attribute(1, be32(1)), attribute(2, be32(0)), attribute(3, attribute(1, []byte{17})))...), verdictOf(0))
	f.Add(expression("payload", attribute(1, be32(1)), attribute(2, be32(2)), attribute(3, be32(2)), attribute(4, be32(2))), expression("lookup", attribute(1, []byte("__set0\x00")), attribute(2, be32(1)), attribute(3, be32(0))))
	f.Add(expression("bitwise", attribute(1, be32(1)), attribute(2, be32(1)), attribute(3, be32(4)), attribute(4, attribute(1, be32(1))), attribute(5, attribute(1, be32(0)))), expression("byteorder", attribute(1, be32(1)), attribute(2, be32(1)), attribute(4, be32(4)), attribute(5, be32(2))))
	f.Add(expression("match", attribute(1, []byte("conntrack\x00")), attribute(2, be32(3)), attribute(3, make([]byte, 160))), expression("match", attribute(1, []byte("multiport\x00")), attribute(2, be32(1)), attribute(3, make([]byte, 48))))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r := filterInput(append(a, b...))
		r.Sets = []netstate.NFTSet{{Family: 1, Table: "t", Name: "__set0", Flags: 1 | 4, Elements: [][]byte{b}}}
		judgeAll(r)
	})
}

func FuzzLegacy(f *testing.F) {
	f.Add([]byte{}, false, uint32(0), uint32(0))
	f.Add(make([]byte, 400), true, uint32(0), uint32(168))
	f.Add(make([]byte, 400), false, uint32(112), uint32(152))
	f.Fuzz(func(t *testing.T, entries []byte, six bool, entry, underflow uint32) {
		judgeAll(&netstate.Ruleset{Legacy: []netstate.LegacyTable{{Six: six, Name: "filter", ValidHooks: 0xe, Entry: [5]uint32{0, entry, entry, entry}, Underflow: [5]uint32{0, underflow, underflow, underflow}, Entries: entries}}})
	})
}

func FuzzText(f *testing.F) {
	for _, text := range []string{
		"iptables *filter\niptables :INPUT DROP [0:0]\niptables -A INPUT ! -s 10.0.0.0/8 -p udp -m udp --dport 1:2 -m comment --comment \"a b\" -j ACCEPT\niptables COMMIT\n",
		"nft table inet t {\nnft chain in {\nnft type filter hook input priority 0; policy drop;\nnft ip saddr != 10.0.0.0/8 udp dport { 1, 2 } ct state new,established accept\nnft }\nnft }\n",
		"ip6tables-legacy *nat\nip6tables-legacy :POSTROUTING ACCEPT [0:0]\nip6tables-legacy -A POSTROUTING -j MASQUERADE\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { judgeAll(&netstate.Ruleset{Text: text}) })
}
