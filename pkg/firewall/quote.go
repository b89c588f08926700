// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// A quoter puts a rule into words, as nft or iptables-save prints it. What it cannot say
// exactly it says in brackets.
type quoter struct {
	iptables bool
	phrases  []string
	names    map[int]string // what a register holds
	masks    map[int][]byte
}

// quote returns a drop with its place and words.
func (r *Rules) quote(d drop) *Rule {
	t := d.chain.table
	out := &Rule{Backend: t.backend, Family: t.family, Table: t.name, Base: d.base.name, Chain: d.chain.name, Rejects: d.rejects}
	out.Owner = r.owners.of(d)
	out.Beside = t.backend == backendLegacy && r.owners.iptablesNFT
	if d.at < 0 {
		out.Text = "policy drop"
		if t.iptables {
			out.Text = "policy DROP"
		}
		return out
	}
	from := d.chain.rules[d.at]
	out.Number, out.Handle, out.Text = d.at+1, from.handle, from.words(d.chain)
	return out
}

// words returns the text of a rule.
func (r rule) words(c *chain) string {
	q := &quoter{iptables: c.table.iptables, names: map[int]string{}, masks: map[int][]byte{}}
	for s := range r.steps {
		s.quote(q)
	}
	text := strings.Join(q.phrases, " ")
	if q.iptables {
		return strings.TrimSpace("-A " + c.name + " " + text)
	}
	if r.comment != "" {
		text += fmt.Sprintf(" comment %q", r.comment)
	}
	return strings.TrimSpace(text)
}

func (q *quoter) say(format string, args ...any) {
	if phrase := fmt.Sprintf(format, args...); phrase != "" {
		q.phrases = append(q.phrases, phrase)
	}
}

// sayField says that a field is compared, and leaves out what nft and iptables leave out:
// the family before an address, and the protocol before a port of it.
func (q *quoter) sayField(name, not, value string) {
	last := ""
	if len(q.phrases) > 0 {
		last = q.phrases[len(q.phrases)-1]
	}
	if q.iptables {
		q.say("%s", iptablesField(name, not, value))
		return
	}
	if strings.HasPrefix(name, "ip") && strings.HasPrefix(last, "meta nfproto ipv") {
		q.phrases = q.phrases[:len(q.phrases)-1]
	}
	if rest, is := strings.CutPrefix(name, "th "); is {
		if proto, is := strings.CutPrefix(last, "meta l4proto "); is && !strings.ContainsAny(proto, " !{") {
			q.phrases = q.phrases[:len(q.phrases)-1]
			name = proto + " " + rest
		} else if proto, _, is := strings.Cut(last, " "); is && (proto == "tcp" || proto == "udp") {
			name = proto + " " + rest
		}
	}
	if low, is := strings.CutPrefix(last, name+" >= "); is && not == "<= " {
		q.phrases[len(q.phrases)-1] = name + " " + low + "-" + value
		return
	}
	q.say("%s %s%s", name, not, value)
}

// iptablesField says the same as iptables does.
func iptablesField(name, not, value string) string {
	if not == "!= " {
		not = "! "
	}
	switch name {
	case "iifname":
		return not + "-i " + strings.Replace(strings.Trim(value, `"`), "*", "+", 1)
	case "oifname":
		return not + "-o " + strings.Replace(strings.Trim(value, `"`), "*", "+", 1)
	case "ip saddr", "ip6 saddr":
		return not + "-s " + value
	case "ip daddr", "ip6 daddr":
		return not + "-d " + value
	case "meta l4proto", "ip protocol", "ip6 nexthdr":
		return not + "-p " + value
	case "th dport":
		return not + "--dport " + value
	case "th sport":
		return not + "--sport " + value
	case "ct state":
		return "-m conntrack " + not + "--ctstate " + strings.ToUpper(value)
	case "meta mark":
		return "-m mark " + not + "--mark " + value
	}
	return fmt.Sprintf("[%s %s%s]", name, not, value)
}

func (l load) quote(q *quoter) {
	q.names[l.at] = l.what
	delete(q.masks, l.at)
}

func (c cmpStep) quote(q *quoter) {
	op := map[uint32]string{unix.NFT_CMP_NEQ: "!= ", unix.NFT_CMP_LT: "< ", unix.NFT_CMP_LTE: "<= ", unix.NFT_CMP_GT: "> ", unix.NFT_CMP_GTE: ">= "}[c.op]
	name, mask := q.names[c.at], q.masks[c.at]
	if mask != nil && (name == "ct state" || name == "ct status") && zero(c.value) && c.op == unix.NFT_CMP_NEQ {
		q.sayField(name, "", flagWords(name, mask))
		return
	}
	q.sayField(name, op, valueWords(name, c.value, mask))
}

func (r rangeStep) quote(q *quoter) {
	name, op := q.names[r.at], ""
	if r.not {
		op = "!= "
	}
	separator := "-"
	if q.iptables {
		separator = ":"
	}
	q.sayField(name, op, valueWords(name, r.from, nil)+separator+valueWords(name, r.to, nil))
}

func (b bitwise) quote(q *quoter) {
	q.names[b.to] = q.names[b.from]
	q.masks[b.to] = b.mask
	if !zero(b.xor) {
		q.names[b.to] = fmt.Sprintf("%s and 0x%x xor 0x%x", q.names[b.from], b.mask, b.xor)
	}
}

func (b byteorder) quote(q *quoter) { q.names[b.to] = q.names[b.from] }

func (i immediate) quote(q *quoter) { q.names[i.at] = fmt.Sprintf("0x%x", i.value) }

func (v verdictStep) quote(q *quoter) {
	words := map[verdictKind]string{vAccept: "accept", vDrop: "drop", vReject: "reject", vReturn: "return", vUnknown: "queue", vContinue: "continue", vTranslate: v.text}
	switch word := words[v.kind]; {
	case q.iptables && v.kind == vJump:
		q.say("-j %s", v.chain)
	case q.iptables && v.kind == vGoto:
		q.say("-g %s", v.chain)
	case q.iptables:
		q.say("-j %s", strings.ToUpper(word))
	case v.kind == vJump:
		q.say("jump %s", v.chain)
	case v.kind == vGoto:
		q.say("goto %s", v.chain)
	default:
		q.say("%s", word)
	}
}

func (s setMark) quote(q *quoter) { q.say("meta mark set %s", q.names[s.at]) }

func (notrack) quote(q *quoter) {
	if q.iptables {
		q.say("-j CT --notrack")
		return
	}
	q.say("notrack")
}

func (r remark) quote(q *quoter) {
	switch {
	case q.iptables && (r.text == "counter" || r.text == "no target"):
	case q.iptables:
		q.say("-j %s", strings.ToUpper(r.text))
	default:
		q.say("%s", r.text)
	}
}

func (d doubtful) quote(q *quoter) {
	switch {
	case q.iptables && d.match != "":
		q.say("-m %s …", d.match)
	default:
		q.say("[%s]", d.text)
	}
}

func (o opaque) quote(q *quoter) { q.say("[%s]", o.what) }

func (l lookup) quote(q *quoter) {
	name, not := q.names[l.at], ""
	if l.not {
		not = "!= "
	}
	of := "@" + l.name
	if l.set != nil {
		of = l.set.words(name)
	}
	if l.verdict || l.to >= 0 {
		q.sayField(name, "vmap ", of)
		return
	}
	q.sayField(name, not, of)
}

// words returns the elements of a set, up to four of them.
func (s *set) words(name string) string {
	const some = 4
	var all []string
	for _, e := range s.elements {
		if e.ends {
			continue
		}
		if len(all) == some {
			all = append(all, "…")
			break
		}
		text := valueWords(name, e.key, nil)
		if e.next != nil && s.interval {
			text = intervalWords(name, e.key, e.next)
		}
		if e.isVerdict {
			q := &quoter{}
			verdictStep{verdict: e.verdict}.quote(q)
			text += " : " + strings.Join(q.phrases, " ")
		}
		all = append(all, text)
	}
	return "{ " + strings.Join(all, ", ") + " }"
}
