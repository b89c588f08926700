// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

func refuses(findings []guard.Finding) bool {
	return slices.ContainsFunc(findings, func(f guard.Finding) bool { return !f.Minor })
}

// No pod is refused for a file that is just being written; once that is over, and
// where no pod waits, it is.
func TestConflistOfTheMoment(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		scope      checks.Scope
	}{
		"wins":        {"05-b.conflist", other, checks.ScopeEffective},
		"is broken":   {"05-b.conflist", "{", checks.ScopeEffective},
		"is empty":    {".05-b.conflist", "", checks.ScopeEffective},
		"scope any":   {"20-b.conflist", other, checks.ScopeAny},
		"any, broken": {"20-b.conflist", "{", checks.ScopeAny},
	} {
		for age, want := range map[time.Duration]bool{0: false, 3 * time.Second: true, -time.Hour: true} {
			t.Run(name+", "+age.String(), func(t *testing.T) {
				dir := confDir(t, map[string]string{"10-a.conflist": guarded})
				plant(t, filepath.Join(dir, c.file), c.text, age)
				target := called(dir, checks.ConflistOptions{Scope: c.scope})
				findings := probe(t, target)
				if len(findings) != 1 || refuses(findings) != want {
					t.Errorf("findings %v, want one that refuses: %t", findings, want)
				}
				waiting := called(dir, checks.ConflistOptions{Scope: c.scope})
				waiting.Netns = nil
				if findings := probe(t, waiting); !refuses(findings) {
					t.Errorf("where no pod waits: findings %v", findings)
				}
			})
		}
	}
}

// Of a link, what counts is the younger of the two.
func TestConflistLinkOfTheMoment(t *testing.T) {
	hour := unix.NsecToTimespec(time.Now().Add(-time.Hour).UnixNano())
	for name, c := range map[string]struct {
		link, file unix.Timespec
		want       bool
	}{
		"both": {hour, hour, true},
		"link": {unix.Timespec{Nsec: unix.UTIME_NOW}, hour, false},
		"file": {hour, unix.Timespec{Nsec: unix.UTIME_NOW}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := confDir(t, map[string]string{"10-a.conflist": guarded, "b": other})
			link := filepath.Join(dir, "05-b.conflist")
			if err := os.Symlink("b", link); err != nil {
				t.Fatal(err)
			}
			for path, at := range map[string]unix.Timespec{link: c.link, filepath.Join(dir, "b"): c.file} {
				if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
					t.Fatal(err)
				}
			}
			if findings := probe(t, called(dir, checks.ConflistOptions{})); len(findings) != 1 || refuses(findings) != c.want {
				t.Errorf("findings %v, want one that refuses: %t", findings, c.want)
			}
		})
	}
}

// A file that was there for the listing only is none.
func TestConflistOfTheGone(t *testing.T) {
	names := []string{"05-gone.conflist", "10-a.conflist", "20-gone.conflist"}
	dir := confDir(t, map[string]string{"10-a.conflist": guarded})
	for _, r := range []conflist.Kind{conflist.Containerd, conflist.CRIO, conflist.CRIDockerd} {
		for _, scope := range []checks.Scope{checks.ScopeEffective, checks.ScopeAny} {
			target := called(dir, checks.ConflistOptions{Scope: scope})
			if findings, err := target.Judge(dir, names, conflist.NewRuntime(r)); err != nil || len(findings) > 0 {
				t.Errorf("%s, scope %s: findings %v", r, scope, findings)
			}
		}
	}
}

// As above, where there are more than a pod waits for.
func TestConflistOfManyPassing(t *testing.T) {
	for name, there := range map[string]bool{"gone": false, "just written": true} {
		t.Run(name, func(t *testing.T) {
			dir, names := confDir(t, map[string]string{"10-a.conflist": guarded}), []string{"10-a.conflist"}
			for file := range twenty("%d-b.conflist", other) {
				if file == names[0] {
					continue
				}
				names = append(names, file)
				if there {
					plant(t, filepath.Join(dir, file), other, 0)
				}
			}
			slices.Sort(names)
			target := called(dir, checks.ConflistOptions{Scope: checks.ScopeAny})
			if findings, err := target.Judge(dir, names, conflist.NewRuntime(conflist.Containerd)); err != nil || refuses(findings) || !there && len(findings) > 0 {
				t.Errorf("findings %v", findings)
			}
		})
	}
}
