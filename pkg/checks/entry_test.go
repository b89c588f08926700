// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

func TestParseEntry(t *testing.T) {
	for name, c := range map[string]struct{ entry, errors, warnings string }{
		"minimal": {entry: `{"type": "cni-guard"}`},
		"all of ours": {entry: `{"mode": "audit", "checks": {"host-netns": {"policy": "warn"}}, "stateDir": "/a", "cacheDir": "/b", "confDir": "/c",
			"statusHoldDown": "1m"}`},
		"empty folders":        {entry: `{"cacheDir": "", "confDir": ""}`},
		"null":                 {entry: `{"mode": null, "checks": null, "stateDir": null, "confDir": null, "statusHoldDown": null}`},
		"standard keys":        {entry: `{"cniVersion": "1.1.0", "name": "a", "type": "cni-guard", "capabilities": {}, "runtimeConfig": {}, "args": {}, "ipMasq": true, "ipam": {}, "dns": {}, "prevResult": {}}`},
		"keys of a list":       {entry: `{"cniVersions": [], "disableCheck": true, "disableGC": true, "loadOnlyInlinedPlugins": true, "plugins": []}`},
		"keys of Multus":       {entry: `{"deviceID": "x", "pciBusID": "x"}`},
		"standard, other case": {entry: `{"Type": "cni-guard", "CNIVersion": "1.0.0", "IPAM": {}}`},
		"slash":                {entry: `{"cni.dev/valid-attachments": [], "example.com/Checks": 1, "/": 1}`},

		"transposed":         {entry: `{"chekcs": {}}`, errors: `key "chekcs" is unknown; did you mean "checks"?`},
		"singular":           {entry: `{"check": {}}`, errors: `did you mean "checks"?`},
		"case":               {entry: `{"Mode": "audit", "checks": {}, "CHECKS": {}}`, errors: `key "CHECKS" is unknown; did you mean "checks"?; key "Mode" is unknown; did you mean "mode"?`},
		"hyphens":            {entry: `{"status-hold-down": "1s"}`, errors: `did you mean "statusHoldDown"?`},
		"underscore":         {entry: `{"state_dir": "/x"}`, errors: `did you mean "stateDir"?`},
		"Kelvin sign":        {entry: `{"chec` + "\u212a" + `s": {}}`, errors: `did you mean "checks"?`},
		"check, not below":   {entry: `{"pod-cidr": {}}`, errors: `"pod-cidr" belongs below "checks"`},
		"policy, not below":  {entry: `{"policy": "warn"}`, errors: `"policy" belongs below "checks"`},
		"unknown check":      {entry: `{"checks": {"mtu": {}}}`, errors: `check "mtu" is unknown`},
		"unknown option":     {entry: `{"checks": {"conflist": {"x": 1}}}`, errors: `key "x" is unknown; valid are`},
		"relative folder":    {entry: `{"stateDir": "run"}`, errors: `read "stateDir": "run" is not an absolute path`},
		"empty state folder": {entry: `{"stateDir": ""}`, errors: `read "stateDir"`},
		"folder, number":     {entry: `{"confDir": 7}`, errors: `read "confDir": want the path of a directory`},
		"hold-down":          {entry: `{"statusHoldDown": "soon"}`, errors: `read "statusHoldDown"`},
		"negative hold-down": {entry: `{"statusHoldDown": "-1s"}`, errors: `is negative`},
		"no object":          {entry: `[]`, errors: `want a JSON object`},
		"long key":           {entry: `{"checks": {"` + strings.Repeat("x", 5000) + `": {}}}`, errors: `x…" is unknown`},
		"control characters": {entry: `{"checks": {"\u001b[31m\u202e": {}}}`, errors: `check "\x1b[31m\u202e" is unknown`},

		"far-off key": {entry: `{"logLevel": "debug"}`, warnings: `key "logLevel" is unknown and is ignored`},
		"comment":     {entry: `{"_comment": "x", "": 1}`, warnings: `key "" is unknown and is ignored; key "_comment" is unknown and is ignored`},
		"both":        {entry: `{"kubeconfig": "x", "modes": 1}`, errors: `did you mean "mode"?`, warnings: `key "kubeconfig"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := checks.ParseEntry([]byte(c.entry))
			for what, said := range map[string][2]string{
				"errors":   {checks.EntryErrors(problems), c.errors},
				"warnings": {checks.EntryWarnings(problems), c.warnings},
			} {
				if got, want := said[0], said[1]; !strings.Contains(got, want) || want == "" && got != "" || len(got) > 1000 {
					t.Errorf("%s are %q, want %q", what, got, want)
				}
			}
		})
	}
}

// What is wrong in one place is no reason to lose the rest: DEL goes on with it.
func TestParseEntryKeepsTheRest(t *testing.T) {
	e, problems := checks.ParseEntry([]byte(`{"mode": "audit", "statusHoldDown": "soon", "stateDir": "/a", "confDir": "x", "Checks": {},
		"checks": {"host-netsn": {}, "pod-cidr": {"policy": "enforce", "podCIDRs": 7}, "conflist": {"allow": ["a"], "scope": "x"}}}`))
	if checks.EntryErrors(problems) == "" {
		t.Error("no error")
	}
	o := guard.OptionsOf[*checks.ConflistOptions](e.Settings.Options)
	if !e.Settings.Audit || e.StateDir != "/a" || e.ConfDir != "" || e.HoldDown != 30*time.Second ||
		e.Settings.Checks["pod-cidr"].Policy != guard.Enforce || len(o.Allow) != 1 || o.Scope != checks.ScopeEffective {
		t.Errorf("entry is %+v", e)
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `[]`, `{"mode":"audit","checks":{"host-netns":{"policy":"off"}}}`, `{"Checks":null,"x":1}`, `{"stateDir":"x","cacheDir":7}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, problems := checks.ParseEntry(raw)
		if !filepath.IsAbs(e.StateDir) || e.HoldDown < 0 || e.CacheDir != "" && !filepath.IsAbs(e.CacheDir) || e.ConfDir != "" && !filepath.IsAbs(e.ConfDir) {
			t.Errorf("entry is %+v", e)
		}
		for _, p := range problems {
			if strings.TrimSpace(p.Text) == "" {
				t.Error("a problem says nothing")
			}
		}
	})
}

// Every file that containerd attaches calls the guard that is in it.
func TestLoadedEntries(t *testing.T) {
	dir := t.TempDir()
	for name, entry := range map[string]string{"10-a.conflist": `{"type": "cni-guard"}`, "20-b.conflist": `{"type": "cni-guard", "mode": "x"}`, "30-c.conflist": `{"type": "cni-guard", "x": 1}`} {
		doc := `{"cniVersion": "1.0.0", "name": "` + name[3:4] + `", "plugins": [{"type": "bridge"}, ` + entry + `]}`
		if err := os.WriteFile(filepath.Join(dir, name), []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b", "1.conf"), []byte(`{"type": "cni-guard", "chekcs": 1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	r := conflist.NewRuntime(conflist.Containerd)
	for files, want := range map[int]string{
		1: "10-a.conflist ",
		2: `10-a.conflist ; 20-b.conflist read "mode": "x" is unknown; valid are enforce, audit; 1.conf key "chekcs" is unknown; did you mean "checks"?`,
		0: `10-a.conflist ; 20-b.conflist read "mode": "x" is unknown; valid are enforce, audit; 1.conf key "chekcs" is unknown; did you mean "checks"?; 30-c.conflist key "x" is unknown and is ignored`,
	} {
		r.MaxConfNum = files
		s, err := conflist.Select(dir, r)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, e := range checks.LoadedEntries(assess.Assess(s, assess.Intent{})) {
			said = append(said, filepath.Base(e.Path)+" "+checks.EntryErrors(e.Problems)+checks.EntryWarnings(e.Problems))
		}
		if got := strings.Join(said, "; "); got != want {
			t.Errorf("with %d files: %s\nwant %s", files, got, want)
		}
	}
}
