// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A Book marks a release in the ledger, step by step, and says which plugins must
// not be called any more. It is for one release by one process, which holds the
// lock of the attachment.
type Book struct {
	record  ledger.Record
	ledger  ledger.Ledger
	before  ledger.Release // what an earlier release had come to
	deleted bool           // a DEL of the runtime went through the chain before
	dryRun  bool
	err     error // why nothing can be recorded

	holder    string // who else has the address
	holderErr error  // why that is not known
}

var _ chain.Book = (*Book)(nil)

// Open begins the account of a release, or looks what it would say in a dry run.
// The path is that of the DEL, and counts where none is on record. The mark of a
// sandbox whose path is not certain has none, and then holds for whatever path the
// runtime passes: see Released.
func (k Known) Open(addrs []netip.Addr, netns string, dryRun bool) *Book {
	b := &Book{ledger: k.ledger, dryRun: dryRun}
	if k.record != nil {
		b.record = *k.record
		b.deleted = k.record.Retired && k.record.Release == nil
		if k.record.Released {
			b.before = ledger.Release{Called: release.CleanByAddress()}
		}
	}
	switch {
	case k.record == nil, k.ofAnotherLife(netns):
		b.record = ledger.Record{Key: k.key(), BootID: k.boot, Added: time.Now()}
		if paths := k.paths(); k.record == nil && netns == "" && len(paths) > 0 {
			netns = paths[0]
		}
	case k.record.Retired && netns == "" && k.entry.Netns == "":
		b.record.Netns = "" // a later container may have had the ID, and another path
	}
	if b.record.Netns == "" {
		b.record.Netns = netns
	}
	if b.record.Release != nil {
		b.before = *b.record.Release
	}
	b.record.Release = &ledger.Release{
		Began:  time.Now(),
		Called: slices.Clone(b.before.Called),
		Failed: slices.Clone(b.before.Failed),
	}
	b.record.Released = false
	b.holder, b.holderErr = k.holder(k.Addrs(addrs))
	b.mark()
	return b
}

// Err says why the release is not recorded; nil where it is.
func (b *Book) Err() error { return b.err }

// Begin implements chain.Book. A plugin that may have been called before is called
// only where it is certain that nobody else has the address.
func (b *Book) Begin(plugin string) (refusal string) {
	called := slices.Contains(b.before.Called, plugin)
	failed := slices.Contains(b.before.Failed, plugin)
	switch {
	case called && !failed:
		return "it ran before, and the address may be another pod's by now"
	case b.holder != "":
		return b.holder
	case b.holderErr != nil && failed:
		return fmt.Sprintf("it failed before, and who has the address now is not known (%v)", b.holderErr)
	case b.holderErr != nil && b.deleted:
		return fmt.Sprintf("the runtime may have run it before, and who has the address now is not known (%v)", b.holderErr)
	}
	if !slices.Contains(b.record.Release.Called, plugin) {
		b.record.Release.Called = append(b.record.Release.Called, plugin)
	}
	b.record.Release.Failed = without(b.record.Release.Failed, plugin)
	b.mark()
	switch {
	case errors.Is(b.err, ledger.ErrReplaced):
		return b.err.Error()
	case b.holderErr != nil && b.err != nil:
		return fmt.Sprintf("nothing can be recorded, so it may have run before, and who has the address now is not known (%v)", b.holderErr)
	}
	return ""
}

// End implements chain.Book.
func (b *Book) End(plugin string, err error) {
	if err == nil {
		return
	}
	b.record.Release.Failed = append(b.record.Release.Failed, plugin)
	b.mark()
}

// Close marks the release as complete, or leaves it open.
func (b *Book) Close(complete bool) {
	if !complete || b.dryRun {
		return
	}
	if err := b.ledger.PutReleased(b.record); err != nil {
		b.err = err
	}
}

func (b *Book) mark() {
	if b.dryRun {
		return
	}
	b.err = b.ledger.Mark(b.record)
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}
