// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// describe gives a finding for each of the first rivals and one for the rest.
func (f *folder) describe(rivals []rival, unread []string, minor bool) []guard.Finding {
	var findings []guard.Finding
	for _, r := range rivals[:min(described, len(rivals))] {
		finding := f.finding(r)
		finding.Minor = minor
		findings = append(findings, finding)
	}
	var rest []string
	for _, r := range rivals[len(findings):] {
		rest = append(rest, r.name)
	}
	return append(findings, f.more(append(rest, unread...), minor)...)
}

// more gives one finding for all files that are not described.
func (f *folder) more(names []string, minor bool) []guard.Finding {
	if len(names) == 0 {
		return nil
	}
	told := make([]string, min(namedAtAll, len(names)))
	for i := range told {
		told[i] = shown(names[i])
	}
	list := strings.Join(told, ", ")
	if len(told) < len(names) {
		list += ", …"
	}
	return []guard.Finding{{Object: shown(f.dir), Problem: fmt.Sprintf("holds %d more beside the guard's (%s)", len(names), list), Minor: minor}}
}

// finding says which file is which, and what to do.
func (f *folder) finding(r rival) guard.Finding {
	remedy := fmt.Sprintf("Run guardctl conf quarantine %s, and KEEP %s.", f.path(r.name), f.path(f.names[f.own]))
	if r.passes || r.harm == harmUncertain {
		remedy = "Run guardctl conf; if it says that the file is the ROGUE: r" + remedy[1:]
	}
	return guard.Finding{Object: f.path(r.name), Problem: f.deed(r) + "; " + f.portrait(r), Remedy: remedy}
}

// deed says what the file does, with the one to keep.
func (f *folder) deed(r rival) string {
	who, keep := title(f.runtime.Kind), fmt.Sprintf("%s (%s), the file to KEEP", shown(f.names[f.own]), f.mine.networkAndPlugins())
	switch {
	case r.passes && r.harm.serious():
		return fmt.Sprintf("is just being written, and pods are refused for it if it stays: it comes between them and %s", keep)
	case r.passes:
		return fmt.Sprintf("is just being written, beside %s", keep)
	}
	switch r.harm {
	case harmWins:
		return fmt.Sprintf("is the ROGUE: the next pods get it from %s instead of %s", who, keep)
	case harmNext:
		return fmt.Sprintf("is a ROGUE as well: it, too, sorts before %s", keep)
	case harmAttached:
		return fmt.Sprintf("is a ROGUE: %s attaches pods to it as well (max_conf_num is %d), beside %s", who, f.runtime.MaxConfNum, keep)
	case harmDisables:
		return fmt.Sprintf("is the ROGUE: %s refuses it (%v) and then loads nothing, so that no pod can start after the next reload, not even by %s", who, r.refused, keep)
	case harmUncertain:
		return fmt.Sprintf("wins over %s, if %s takes it: that depends on the versions of CNI that its plugins know, which guardctl conf asks them", keep, who)
	case harmSkipped:
		return fmt.Sprintf("sorts before %s, and wins once %s no longer refuses it (%v)", keep, who, r.refused)
	}
	if r.refused != nil {
		return fmt.Sprintf("is refused by %s (%v), and lies ready to take the place of %s", who, r.refused, keep)
	}
	return fmt.Sprintf("lies ready to take the place of %s", keep)
}

// disablesUnowned is for a folder in which the guard's own file is not to be found.
func (f *folder) disablesUnowned(name string, l looked) guard.Finding {
	return guard.Finding{
		Object:  f.path(name),
		Problem: fmt.Sprintf("is refused by %s (%v), which then loads nothing, so that no pod can start after the next reload", title(f.runtime.Kind), l.refused),
		Remedy:  "Put the file right if it is the one of your network plugin, or run guardctl conf quarantine " + f.path(name) + " if it is not.",
	}
}

// ownFindings tells why the guard's own file is not taken, whatever else is there.
func (f *folder) ownFindings() []guard.Finding {
	own := guard.Finding{Object: f.path(f.names[f.own])}
	switch {
	case f.mine.refused != nil:
		own.Problem = fmt.Sprintf("is the file to KEEP, and %s refuses it (%v)", title(f.runtime.Kind), f.mine.refused)
		own.Remedy = "Install what the file needs; the runtime takes another file, or none, until then."
		own.Minor = f.ran // it was taken a moment ago
	case f.named() && f.mine.Name != f.runtime.DefaultNetwork:
		own.Problem = fmt.Sprintf("is not taken: its network is %q, and the cni_default_network of CRI-O is %q", f.mine.Name, f.runtime.DefaultNetwork)
		own.Remedy = "Set cni_default_network to the network that pods should get, and put the guard into its file."
	default:
		return nil
	}
	return []guard.Finding{own}
}

// portrait tells a file to people: its network, since when, and by whom.
func (f *folder) portrait(r rival) string {
	words := "it has " + r.networkAndPlugins()
	if r.Name != "" && r.Name == f.mine.Name {
		words += ", the same name"
	}
	if !r.ModTime.IsZero() {
		words += ", is there since " + r.ModTime.UTC().Format(time.DateTime) + " UTC"
	}
	if who := author(r.name, r.looked); who != "" {
		words += ", and was probably written by " + who
	}
	return words
}

func (l looked) networkAndPlugins() string {
	if l.Name == "" && len(l.Plugins) == 0 {
		return "no network that can be read"
	}
	return fmt.Sprintf("network %q of %s", l.Name, strings.Join(l.Types(), ", "))
}

func (f *folder) path(name string) string { return shown(filepath.Join(f.dir, name)) }

// shown gives a name as it is, or in quotes where that would not be a word.
func shown(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.ContainsAny(name, " \t") {
		return quoted
	}
	return name
}

// title is what people call a runtime.
func title(k conflist.Kind) string {
	if k == conflist.CRIO {
		return "CRI-O"
	}
	return k.String()
}
