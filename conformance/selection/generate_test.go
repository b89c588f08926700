// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"math/rand/v2"
	"strings"
)

// A maker makes directories up. Equal seeds make equal directories.
type maker struct {
	*rand.Rand
	oddity int // how many in a hundred of all things are odd in this directory
}

func newMaker(seed uint64) *maker { return &maker{Rand: rand.New(rand.NewPCG(seed, 4))} }

// oneOf picks one of some; what is there more often is picked more often.
func oneOf[T any](m *maker, some ...T) T { return some[m.IntN(len(some))] }

// often is true so many times in a hundred.
func (m *maker) often(percent int) bool { return m.IntN(100) < percent }

// directory makes up to eight entries, and drop-ins. In a third of the directories all
// documents are as they should be, for one that is not may hide all else.
func (m *maker) folder() folder {
	f := folder{}
	m.oddity = oneOf(m, 0, 1, 4)
	for range 1 + m.IntN(8) {
		name := m.name()
		f[name] = m.entry(name)
	}
	for _, network := range []string{"a", "b", "net"} {
		if m.often(25) {
			m.dropIns(f, network)
		}
	}
	if m.often(5) {
		f["../beside.conf"] = entry{content: m.single(false)}
	}
	return f
}

// name makes the name of an entry: few, so that directories have what comes before
// what in common, and each kind that a loader might take for another.
func (m *maker) name() string {
	prefix := oneOf(m, "", ".", "0-", "00-", "05-", "10-", "100-", "20-", "99-", "A-", "Z-", "a-", "é-", " ")
	ext := oneOf(m, ".conflist", ".conflist", ".conflist", ".conf", ".conf", ".json")
	if m.often(25) {
		ext = oneOf(m, ".CONFLIST", ".Conf", ".conflist.bak", ".conf~", ".conflist.conf", ".conf.conflist", "", ".", ".jsonl")
	}
	return prefix + oneOf(m, "x", "y", "z") + ext
}

func (m *maker) entry(name string) entry {
	switch m.IntN(60) {
	case 0, 1:
		return entry{dir: true}
	case 2:
		return entry{link: oneOf(m, "/nowhere", "gone.conflist", ".", "..", "/dev/null")}
	case 3, 4:
		return entry{link: m.name()} // of another file perhaps, or of itself
	}
	if strings.HasSuffix(name, ".conflist") != (m.often(m.oddity)) {
		return entry{content: m.list()}
	}
	return entry{content: m.single(m.often(50))}
}

// dropIns makes a directory <network>/ with none to three entries, or a file there.
func (m *maker) dropIns(f folder, network string) {
	if m.often(10) {
		f[network] = entry{content: "not a folder"}
		return
	}
	f[network] = entry{dir: true}
	for range m.IntN(4) {
		path := network + "/" + oneOf(m, "", ".", "1", "2") + "d" + oneOf(m, ".conf", ".conf", ".conf", ".conflist", ".json", ".CONF", "")
		switch {
		case m.often(5):
			f[path] = entry{dir: true}
		case m.often(m.oddity):
			f[path] = entry{link: "/nowhere"}
		default:
			f[path] = entry{content: m.slip(m.plugin())}
		}
	}
}

// slip spoils a text now and then.
func (m *maker) slip(doc string) string {
	if !m.often(m.oddity) {
		return doc
	}
	switch m.IntN(12) {
	case 0:
		return ""
	case 1:
		return " \n"
	case 2:
		return "\xef\xbb\xbf" + doc
	case 3:
		return "// a comment\n" + doc
	case 4:
		return doc + doc
	case 5:
		return doc[:m.IntN(len(doc))]
	case 6:
		return strings.Replace(doc, "}", ",}", 1)
	case 7:
		return strings.Replace(doc, ":", ":\xff", 1)
	case 8:
		return strings.Replace(doc, `"`, "\"\xff", 1)
	case 9:
		return oneOf(m, "null", "[]", "{}", `"x"`, "7", "true")
	case 10:
		return strings.Repeat("\n", m.IntN(2000)) + doc
	}
	return "[" + doc + "]"
}
