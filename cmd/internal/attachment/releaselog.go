// SPDX-License-Identifier: Apache-2.0

package attachment

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A ReleaseLog records a release in the ledger step by step, and refuses plugins that
// must not be called again. It is for one release by one process, which holds the lock
// of the attachment.
type ReleaseLog struct {
	record  ledger.Record
	ledger  ledger.Ledger
	before  ledger.Release // the progress of an earlier release
	deleted bool           // a DEL of the runtime passed the chain before
	dryRun  bool
	err     error // why the release cannot be recorded

	holder    string // the other container that has the address, as a clause
	holderErr error  // why the holder is unknown
}

var _ chain.ReleaseLog = (*ReleaseLog)(nil)

// BeginRelease begins the log of a release. In a dry run it records nothing and answers
// as it would otherwise. The namespace path is that of the DEL; it is used if none is
// recorded. A sandbox whose path is uncertain is marked without a path, and the mark
// then applies whatever path the runtime passes; see IsReleased.
func (k Info) BeginRelease(addrs []netip.Addr, netns string, dryRun bool) *ReleaseLog {
	l := &ReleaseLog{ledger: k.ledger, dryRun: dryRun}
	if k.record != nil {
		l.record = *k.record
		l.deleted = k.record.Retired && k.record.Release == nil
		if k.record.Released {
			l.before = ledger.Release{Called: release.CleanByAddress()}
		}
	}
	switch {
	case k.record == nil, k.isOfEarlierContainer(netns):
		l.record = ledger.Record{Key: k.key(), BootID: k.boot, Added: time.Now()}
		if paths := k.paths(); k.record == nil && netns == "" && len(paths) > 0 {
			netns = paths[0]
		}
	case k.record.Retired && netns == "" && k.entry.Netns == "":
		l.record.Netns = "" // a later container may have had the same ID and another path
	}
	if l.record.Netns == "" {
		l.record.Netns = netns
	}
	if l.record.Release != nil {
		l.before = *l.record.Release
	}
	l.record.Release = &ledger.Release{
		Began:  time.Now(),
		Called: slices.Clone(l.before.Called),
		Failed: slices.Clone(l.before.Failed),
	}
	l.record.Released = false
	l.holder, l.holderErr = k.addressHolder(k.Addrs(addrs))
	l.mark()
	return l
}

// Err returns why the release is not recorded, or nil.
func (l *ReleaseLog) Err() error { return l.err }

// Begin implements chain.ReleaseLog. It allows a plugin that may have been called before
// only if certainly no other pod has the address.
func (l *ReleaseLog) Begin(plugin string) (refusal string) {
	called := slices.Contains(l.before.Called, plugin)
	failed := slices.Contains(l.before.Failed, plugin)
	switch {
	case called && !failed:
		return "it was called before, and another pod may have the address by now"
	case l.holder != "":
		return l.holder
	case l.holderErr != nil && failed:
		return fmt.Sprintf("it failed before, and it is unknown which pod has the address now (%v)", l.holderErr)
	case l.holderErr != nil && l.deleted:
		return fmt.Sprintf("the runtime may have called it before, and it is unknown which pod has the address now (%v)", l.holderErr)
	}
	if !slices.Contains(l.record.Release.Called, plugin) {
		l.record.Release.Called = append(l.record.Release.Called, plugin)
	}
	l.record.Release.Failed = without(l.record.Release.Failed, plugin)
	l.mark()
	switch {
	case errors.Is(l.err, ledger.ErrReplaced):
		return l.err.Error()
	case l.holderErr != nil && l.err != nil:
		return fmt.Sprintf("the release cannot be recorded, so the plugin may have been called before, and it is unknown which pod has the address now (%v)", l.holderErr)
	}
	return ""
}

// End implements chain.ReleaseLog.
func (l *ReleaseLog) End(plugin string, err error) {
	if err == nil {
		return
	}
	l.record.Release.Failed = append(l.record.Release.Failed, plugin)
	l.mark()
}

// Close marks the release as complete if it is.
func (l *ReleaseLog) Close(complete bool) {
	if !complete || l.dryRun {
		return
	}
	if err := l.ledger.PutReleased(l.record); err != nil {
		l.err = err
	}
}

func (l *ReleaseLog) mark() {
	if l.dryRun {
		return
	}
	l.err = l.ledger.Mark(l.record)
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}
