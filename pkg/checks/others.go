// SPDX-License-Identifier: Apache-2.0

package checks

import "github.com/cni-guard/cni-guard/pkg/conflist"

// Harmless tells by its name a file that rightly lies beside the primary plugin's
// as long as it does not win: those of podman and nerdctl, and the samples of
// runtimes.
func Harmless(name string) bool { return harmless(name) }

// ProbableAuthor names who probably wrote a file, "" where nothing gives it away.
func ProbableAuthor(f conflist.File) string {
	l := looked{List: conflist.List{Name: f.Network}}
	for _, t := range f.Plugins {
		l.Plugins = append(l.Plugins, conflist.Plugin{Type: t})
	}
	return author(f.Name, l)
}
