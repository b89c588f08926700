// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/attachment"
	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// An Orphan is an attachment that was never released, of a sandbox that is gone and
// that the runtime, if it answers, no longer knows. The runtime will not release it.
type Orphan struct {
	chain.Attachment
	Pod    string   // "namespace/name"; "" where that is not known
	Source string   // the file that has it
	Proof  []string // that the sandbox is gone, clauses for people
	// Unknown says that neither the ledger nor the cache has it, but a reservation of
	// host-local, so that a release takes --force.
	Unknown bool
}

// Orphans lists the orphans of all caches, or of one if only that is named, and
// otherwise those that only host-local has of the networks that pods get. A sandbox
// is gone only where that is proved.
func Orphans(ctx context.Context, s site.Site, a assess.Assessment, stateDir, only string) ([]Orphan, error) {
	known := ask(ctx, s)
	dirs := cacheDirs(s)
	if only != "" {
		dirs = []string{only}
	}
	var all []Orphan
	var everywhere []attachment.Cached
	for _, dir := range dirs {
		cached, err := attachment.ListCached(dir)
		if err != nil {
			return nil, err
		}
		everywhere = append(everywhere, cached...)
	}
	for _, c := range everywhere {
		if known.ids[c.ContainerID] || c.HasNamespace() {
			continue // the runtime releases it, or it lives
		}
		look := attachment.Lookup(c.Attachment, stateDir)
		if j := look.Liveness(); j.Verdict == release.Gone && !look.IsReleased("") {
			all = append(all, Orphan{Attachment: c.Attachment, Pod: c.Pod, Source: c.Path, Proof: j.Reasons()})
		}
	}
	if only != "" {
		return all, nil
	}
	reserved, err := reservations(a)
	if err != nil {
		return all, err
	}
	for _, r := range reserved {
		if known.ids[r.ContainerID] || slices.ContainsFunc(everywhere, func(c attachment.Cached) bool { return c.ContainerID == r.ContainerID }) {
			continue
		}
		if o, gone := reservedOrphan(r, known, stateDir); gone {
			all = append(all, o)
		}
	}
	return all, nil
}

// cacheDirs returns where attachments are cached: the runtime's directory, and those
// of others that use libcni.
func cacheDirs(s site.Site) (dirs []string) {
	for _, dir := range slices.Concat([]string{s.CacheDir}, multusCaches(s), release.CacheDirs()) {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// reservations lists what host-local has of the networks in use.
func reservations(a assess.Assessment) (all []attachment.Reservation, err error) {
	for _, name := range inUse(a) {
		list, err := conflist.Read(a.Selection.Dir, name)
		if err != nil {
			continue // what is wrong with the file is for assess to say
		}
		for _, p := range list.Plugins {
			var conf struct {
				IPAM struct{ Type, DataDir string }
			}
			if json.Unmarshal(p.Raw, &conf) != nil || conf.IPAM.Type != "host-local" {
				continue
			}
			if conf.IPAM.DataDir == "" {
				conf.IPAM.DataDir = attachment.HostLocalDir
			}
			found, err := attachment.Reservations(conf.IPAM.DataDir, list.Name)
			if err != nil {
				return all, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// starting is how long a sandbox may take to appear in the runtime's list: it has
// its address first.
const starting = 10 * time.Minute

// reservedOrphan judges a reservation that no cache has an attachment of.
func reservedOrphan(r attachment.Reservation, known sandboxes, stateDir string) (Orphan, bool) {
	a := chain.Attachment{ContainerID: r.ContainerID, IfName: r.IfName, Network: r.Network}
	o := Orphan{Attachment: a, Source: r.Path, Unknown: true}
	look := attachment.Lookup(a, stateDir)
	if look.IsRecorded() {
		o.Unknown = false
		j := look.Liveness()
		o.Proof, o.Pod = j.Reasons(), look.Pod()
		return o, j.Verdict == release.Gone && !look.IsReleased("")
	}
	info, err := os.Stat(r.Path)
	if err != nil {
		return o, false // released just now
	}
	boot, err := bootTime()
	switch {
	case err == nil && info.ModTime().Before(boot.Add(-time.Minute)):
		o.Proof = []string{fmt.Sprintf("%s was reserved before the last boot, and no cache knows the container", r.Addr)}
	case known.asked && time.Since(info.ModTime()) > starting:
		o.Proof = []string{fmt.Sprintf("neither the runtime nor a cache knows the container that %s is reserved for", r.Addr)}
	default:
		return o, false
	}
	// Times lie where the clock was set, and another runtime may keep its cache
	// elsewhere; a pod that has the address lives.
	if addr, err := netip.ParseAddr(r.Addr); err == nil && look.FindAddress(addr) != "" {
		return o, false
	}
	return o, true
}

// bootTime returns when the node was booted (proc(5), btime).
func bootTime() (time.Time, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("read time of the boot: %w", err)
	}
	for line := range bytes.Lines(stat) {
		if text, ok := strings.CutPrefix(string(line), "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return time.Unix(seconds, 0), err
		}
	}
	return time.Time{}, fmt.Errorf("read time of the boot: /proc/stat has none")
}

// Command returns the command that releases the orphan.
func (o Orphan) Command() string {
	words := []string{"guardctl", "release", "--container-id", o.ContainerID, "--ifname", o.IfName, "--network", o.Network}
	if o.CacheDir != "" && !slices.Contains(release.CacheDirs(), o.CacheDir) {
		words = append(words, "--cache-dir", o.CacheDir)
	}
	if o.Unknown {
		words = append(words, "--force")
	}
	for i, word := range words {
		words[i] = printable.Word(word)
	}
	return strings.Join(words, " ")
}

// Name names the pod for people.
func (o Orphan) Name() string { return podName(o.Pod, o.ContainerID) }

func (o Orphan) problem() Problem {
	return Problem{Object: o.Name(), Problem: assess.Problem{
		Kind: AddressNotReleased, Minor: true,
		What:     fmt.Sprintf("is gone, and its attachment to network %q was never released", o.Network),
		Evidence: strings.Join(append([]string{"it is in " + o.Source}, o.Proof...), "; "),
		Impact:   "its address stays allocated; when all are, no pod can start",
		Command:  o.Command(),
		Remedy:   "run guardctl release --orphans to list all of them",
	}}
}
