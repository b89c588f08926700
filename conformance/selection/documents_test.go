// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"slices"
	"strings"
)

// object joins members to an object, in any order. It may have a key twice, for
// a member is only text.
func (m *maker) object(members ...string) string {
	members = slices.DeleteFunc(members, func(s string) bool { return s == "" })
	m.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, oneOf(m, ",", ", ", ",\n\t")) + "}"
}

// rarely returns the usual member, and an odd one as often as the directory is odd.
func (m *maker) rarely(usual string, odd ...string) string {
	if m.often(m.oddity) {
		return oneOf(m, odd...)
	}
	return usual
}

// list makes a conflist, or something that nearly is one.
func (m *maker) list() string {
	return m.slip(m.object(
		m.rarely(oneOf(m, `"name":"a"`, `"name":"b"`, `"name":"net"`),
			"", `"Name":"a"`, `"name":""`, `"name":"."`, `"name":".."`, `"name":"10-x.conf"`, `"name":"a/b"`, `"name":"a\u0000"`,
			`"name":7`, `"name":null`, `"name":["a"]`, `"name":"a","name":"b"`, `"name":7,"name":"b"`, `"NAME":7,"name":"a"`,
			`"name":"`+strings.Repeat("n", 300)+`"`, `"name":"/"`, `"name":"<a>"`),
		m.rarely(oneOf(m, `"cniVersion":"1.0.0"`, `"cniVersion":"0.4.0"`, `"cniVersion":"0.3.1"`, `"cniVersion":"1.1.0"`, ""),
			`"cniVersion":""`, `"cniVersion":"9.9.9"`, `"cniVersion":1`, `"cniVersion":null`, `"cniVersion":"x"`, `"cniversion":"0.1.0"`),
		m.rarely(oneOf(m, "", "", `"cniVersions":["0.3.1","0.4.0"]`), `"cniVersions":["1.0.0","0.4.0"]`, `"cniVersions":["9.9.9"]`, `"cniVersions":["1.0","1.0.0","1"]`, `"cniVersions":[]`,
			`"cniVersions":[""]`, `"cniVersions":["0.3.1","9.9.9"]`, `"cniVersions":[1]`, `"cniVersions":"1.0.0"`, `"cniVersions":null`, `"cniVersions":["x"]`,
			`"cniVersions":["1.2.3.4"]`, `"cniVersions":["0.4.0",null]`),
		m.flag("disableCheck"), m.flag("disableGC"), m.flag("loadOnlyInlinedPlugins"),
		m.rarely(`"plugins":[`+m.plugins()+`]`,
			"", `"plugins":[]`, `"plugins":null`, `"plugins":{}`, `"plugins":"x"`, `"Plugins":[`+m.plugins()+`]`,
			`"plugins":[],"plugins":[`+m.plugins()+`]`, `"plugins":[`+m.plugins()+`],"plugins":[]`, `"plugins":[null]`, `"plugins":[[]]`, `"plugins":["bridge"]`),
		m.rarely("", `"x":1e999`, `"x":-1e400`, `"x":1e-999`, `"x":"\"1e999"`, `"x":[{"y":[1E+400]}]`, `"x":1e999,"x":1`, `"x":"\ud800"`, `"x":12345678901234567890`),
	))
}

func (m *maker) flag(key string) string {
	value := m.rarely(oneOf(m, "", "", "", "true"), "false", `"true"`, `"FALSE"`, `"True"`, `"no"`, `""`, "1", "null", "[]", `"tru\u0045"`)
	if value == "" {
		return ""
	}
	return `"` + key + `":` + value
}

func (m *maker) plugins() string {
	entries := make([]string, 1+m.IntN(3))
	for i := range entries {
		entries[i] = m.plugin()
	}
	return strings.Join(entries, ",")
}

// single makes a file with one plugin, which has the name of its network as well.
func (m *maker) single(versioned bool) string {
	plugin, version := strings.TrimSuffix(m.plugin(), "}"), ""
	if versioned {
		version = oneOf(m, `,"cniVersion":"0.4.0"`, `,"cniVersion":"1.1.0"`)
	}
	return m.slip(plugin + m.rarely(`,"name":"`+oneOf(m, "a", "b", "net")+`"`, "", `,"Name":"b"`, `,"name":""`, `,"name":7`, `,"name":null`) +
		m.rarely(version, `,"cniversion":"0.3.1"`, `,"cniVersion":7`, `,"cniVersions":["1.0.0"]`) +
		m.rarely("", `,"x":1e999`, `,"loadOnlyInlinedPlugins":7`, `,"plugins":[]`) + "}")
}

// plugin makes an entry of a list.
func (m *maker) plugin() string {
	return m.object(
		m.rarely(`"type":"`+m.kind()+`"`,
			"", `"type":""`, `"Type":"bridge"`, `"type":"bridge","Type":""`, `"Type":"bridge","type":null`, `"TYPE":"old","type":"bridge"`, `"type":"old","TYPE":"bridge"`,
			`"type":7,"type":"bridge"`, `"type":"bridge","type":7`, `"type":7`, `"type":null`, `"type":"../bridge"`, `"\u0074ype":"bridge"`, `"type":"a\ud800"`),
		m.rarely("", `"ipam":{"type":"host-local"}`, `"ipam":{"type":7}`, `"ipam":[]`, `"ipam":null`, `"ipam":{"type":7,"type":"x"}`, `"ipam":{"type":"x","Type":7}`),
		m.rarely("", `"capabilities":{"portMappings":true}`, `"capabilities":{"portMappings":"true"}`, `"capabilities":[]`, `"capabilities":{"a":7},"capabilities":{"a":true}`),
		m.rarely("", `"dns":{"nameservers":["1.1.1.1"]}`, `"dns":{"nameservers":"1.1.1.1"}`, `"dns":7`, `"DNS":7`, `"dns":{"options":[7]}`),
		m.rarely("", `"prevResult":{}`, `"prevResult":[]`, `"prevResult":{"a":1e999}`, `"cni.dev/valid-attachments":{}`, `"cni.dev/valid-attachments":[{"ifname":7}]`),
		m.rarely("", `"x":1e999`, `"name":7`, `"cniVersion":[]`, `"mtu":1450`),
	)
}

// kind is the type of a plugin; plugins_test.go says how each answers.
func (m *maker) kind() string {
	return m.rarely(oneOf(m, "bridge", "bridge", "cni-guard", "old"), "missing", "mute", "garbled", "folder", "sealed", "a/b", ".")
}
