// SPDX-License-Identifier: Apache-2.0

package replay

import "testing"

// The path is gone, or the runtime knows it and passes none. The reference
// plugins bear both, so nothing is harmed without the guard; the guard must not
// change that.
func TestPathGone(t *testing.T) {
	for _, c := range []struct {
		name string
		path func(s *rig) string
	}{
		{"gone", func(s *rig) string { return s.pod.Netns }},
		{"empty", func(*rig) string { return "" }},
	} {
		for name, with := range map[string]setting{"bare": bare, "guarded": guarded} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				s := newRig(t, with)
				if err := s.pin().Remove(); err != nil {
					t.Fatal(err)
				}
				s.lost()
				s.pod.Netns = c.path(s)
				before := s.snapshot(s.Node.Path)
				s.wantReleased(s.remove())
				s.wantSame(s.Node.Path, before)
			})
		}
	}
}
