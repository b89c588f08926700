// SPDX-License-Identifier: Apache-2.0

package load

import (
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// whole describes the node and the pod that stays.
func (s *soak) whole() map[string]string {
	s.t.Helper()
	found := map[string]string{}
	for name, path := range map[string]string{"node": s.Node.Path, "neighbour": s.neighbour} {
		for what, see := range map[string]func(string) (string, error){"links": node.Snapshot, "sysctls": node.Sysctls} {
			text, err := see(path)
			if err != nil {
				s.t.Fatal(err)
			}
			found[what+" of the "+name] = text
		}
	}
	return found
}

func (s *soak) wantWhole(before map[string]string) {
	s.t.Helper()
	for what, now := range s.whole() {
		if now != before[what] {
			s.t.Errorf("%s changed.\nbefore:\n%s\nafter:\n%s", what, before[what], now)
		}
	}
}

// wantNothingHeld looks for what pods that ended have left: addresses, records,
// and more records of the past than are to be kept.
func (s *soak) wantNothingHeld() {
	s.t.Helper()
	for folder, most := range map[string]int{
		filepath.Join(s.LeaseDir(), chain.Name): 1 + 2, // the neighbour's; the lock, the last address
		filepath.Join(s.Dir, "state", "live"):   1,
		filepath.Join(s.Dir, "state", "tmp"):    0,
		// 512 are kept. One DEL in 256 sweeps, picked by a hash; eight times as
		// many without one happen in a run of thousands of years.
		filepath.Join(s.Dir, "state", "gone"): 512 + 8*256,
	} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(entries) > most {
			s.t.Errorf("%s has %d entries; want at most %d", folder, len(entries), most)
		}
	}
}
