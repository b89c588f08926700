// SPDX-License-Identifier: Apache-2.0

package checktest

import (
	"runtime"
	"testing"
)

// A recorder is a testing.TB that notes what becomes of it.
type recorder struct {
	testing.TB
	became string
}

func (*recorder) Helper()        {}
func (r *recorder) Skip(...any)  { r.end("skipped") }
func (r *recorder) Fatal(...any) { r.end("failed") }

func (r *recorder) end(how string) {
	r.became = how
	runtime.Goexit()
}

func TestPrivateNode(t *testing.T) {
	for _, c := range []struct{ node, requireAll, path, want string }{
		{"", "", "", "skipped"},
		{"", "1", "", "failed"},
		{"shared", "1", "", "failed"},
		{"private", "1", t.TempDir(), "failed"}, // no ip there
	} {
		t.Setenv("CNI_GUARD_NODE", c.node)
		t.Setenv("REQUIRE_ALL", c.requireAll)
		if c.path != "" {
			t.Setenv("PATH", c.path)
		}
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			PrivateNode(r)
		}()
		<-done
		if r.became != c.want {
			t.Errorf("node %q, REQUIRE_ALL=%q: the test %s, want %s", c.node, c.requireAll, r.became, c.want)
		}
	}
}
