// SPDX-License-Identifier: Apache-2.0

package quarantine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// FuzzName holds that no name in quarantine is loadable, and that the name from
// before is found again.
func FuzzName(f *testing.F) {
	for _, name := range []string{"10-b.conflist", "b.conf", ".conf", "b.conf" + Suffix, "b.conf" + Suffix + "-2", "b.conf" + Suffix + "-02.conf", "b" + Suffix + ".conf"} {
		f.Add(name, 1)
		f.Add(name, 12)
	}
	f.Fuzz(func(t *testing.T, name string, n int) {
		if _, ok := original(name); ok && conflist.Loadable(name) {
			t.Errorf("%q is in quarantine, and loaded", name)
		}
		if name == "" || n < 1 || !conflist.Loadable(name) {
			return
		}
		if got, ok := original(nameIn(name, n)); !ok || got != name {
			t.Errorf("%q was %q, %t", nameIn(name, n), got, ok)
		}
		for _, other := range []string{nameIn(name, n), nameIn(name, n) + recordSuffix, nameIn(name, n) + recordSuffix + newSuffix} {
			if conflist.Loadable(other) {
				t.Errorf("%q is loaded", other)
			}
		}
	})
}

// FuzzRecord holds that a record is of its file, or that nothing is known.
func FuzzRecord(f *testing.F) {
	const away = "b.conf" + Suffix
	f.Add([]byte(`{"file":"b.conf","quarantined":"` + away + `","when":"2026-03-01T12:00:00Z","why":"x","uid":7}`))
	f.Add([]byte(`{"file":"../b.conf","quarantined":"` + away + `"}`))
	f.Add([]byte(`null`))
	d := &confDir{path: f.TempDir()}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if err := os.WriteFile(filepath.Join(d.path, away+recordSuffix), doc, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := d.read(away); r.File != "b.conf" || r.Quarantined != away {
			t.Errorf("got %+v", r)
		}
	})
}
