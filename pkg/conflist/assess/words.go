// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// basisWords completes "is the intended file: …".
func (j *judge) basisWords() string {
	switch j.basis {
	case ByOperator:
		return "its network is the cni_default_network of CRI-O"
	case ByRecord:
		if j.in.Record.File != j.intended.name {
			return fmt.Sprintf("it stands for %s, into which guardctl install put the guard", QuoteName(j.in.Record.File))
		}
		if j.in.Uninstalled && !j.intended.guarded() {
			return "the guard was in it until guardctl uninstall took it out"
		}
		return "guardctl install put the guard into it"
	case ByCall:
		return "its network has just called"
	case ByGuard:
		return "it has the guard"
	case ByMultus:
		return "it is the network that Multus names"
	}
	if j.intended.sample() {
		return "nothing else is there, though it is a sample"
	}
	return "no other file serves a cluster"
}

// evidence says why one file is intended, and what is known of the other.
func (j *judge) evidence(f *file) string {
	words := []string{fmt.Sprintf("%s is the intended file: %s", QuoteName(j.intended.name), j.basisWords())}
	if !f.read {
		return words[0]
	}
	about := fmt.Sprintf("%s has %s", QuoteName(f.name), describe(f))
	if f.list.Name != "" && f.list.Name == j.intended.list.Name {
		about += ", the same name"
	}
	if !f.list.ModTime.IsZero() {
		about += ", is there since " + f.list.ModTime.UTC().Format(time.DateTime) + " UTC"
	}
	if who := author(f); who != "" {
		about += ", and was probably written by " + who
	}
	return words[0] + "; " + about
}

// portrait names a file with its network and plugins.
func (j *judge) portrait(f *file) string {
	return fmt.Sprintf("%s (%s)", QuoteName(f.name), describe(f))
}

func describe(f *file) string { return DescribeNetwork(f.list.Name, f.list.Types()) }

// DescribeNetwork says which network a file has, of which plugins.
func DescribeNetwork(network string, plugins []string) string {
	if network == "" && len(plugins) == 0 {
		return "no network that can be read"
	}
	return fmt.Sprintf("network %q of %s", network, shownAll(plugins))
}

func shownAll(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = QuoteName(w)
	}
	return strings.Join(all, ", ")
}

func (j *judge) title() string { return j.sel.Runtime.Kind.DisplayName() }

// path names a file of the folder as a shell takes it.
func (j *judge) path(f *file) string { return quote(j.sel.Path(f.name)) }

func (j *judge) pathShown(f *file) string { return QuoteName(j.sel.Path(f.name)) }

// plain is the text of an error about the folder without its general head.
func plain(err error) string {
	return strings.TrimPrefix(err.Error(), conflist.ErrNoNetwork.Error()+": ")
}

// QuoteName returns a name as it is, or in quotes where that would not be one word.
func QuoteName(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.ContainsAny(name, " \t") {
		return quoted
	}
	return name
}

// quote quotes a word for a shell where it must be.
func quote(word string) string { return printable.Word(word) }
