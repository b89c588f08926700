// SPDX-License-Identifier: Apache-2.0

package firewall

import "encoding/binary"

// A markTarget is mark = (mark & ^mask) ^ value.
type markTarget struct{ value, mask uint32 }

func (t markTarget) run(m *machine) tri {
	m.st.mark = m.st.mark.set(^t.mask, t.value)
	return yes
}

// A forgetMark takes the mark from somewhere else.
type forgetMark struct{ text string }

func (forgetMark) run(m *machine) tri {
	m.st.mark = mark{}
	return yes
}

// decodeTarget decodes a target of iptables.
func decodeTarget(name string, revision uint32, b []byte) step {
	switch name {
	case "REJECT":
		return verdictStep{verdict: verdict{kind: vReject}}
	case "DNAT", "REDIRECT", "NETMAP", "SNAT", "MASQUERADE":
		return verdictStep{verdict: verdict{kind: vTranslate}, text: name}
	case "NOTRACK":
		return notrack{}
	case "CT":
		if len(b) >= 2 && binary.NativeEndian.Uint16(b)&1 != 0 { // XT_CT_NOTRACK
			return notrack{}
		}
		return remark{name}
	case "MARK":
		if revision == 2 && len(b) >= 8 {
			return markTarget{binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:])}
		}
	case "CONNMARK", "CONNSECMARK":
		return forgetMark{name}
	case "LOG", "NFLOG", "TRACE", "TCPMSS", "CHECKSUM", "CLASSIFY", "SET", "AUDIT", "SECMARK", "TTL", "HL", "TOS", "DSCP", "LED", "RATEEST", "IDLETIMER":
		return remark{name}
	}
	return opaque{"the target " + name}
}
