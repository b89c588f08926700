// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/cmd/internal/trace"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// culprits remembers what was changed on the node, and by whom, so that --watch can say so
// beside what it led to. The zero culprits knows nothing.
type culprits struct {
	mu     sync.Mutex
	recent []trace.Change // oldest first
}

const (
	culpritsMost = 256
	// culpritsDelay is how long a trace may take to report a change.
	culpritsDelay = 200 * time.Millisecond
	// culpritsAge is how long before the last look a change may have been made that the look
	// has not seen.
	culpritsAge = time.Second
)

// follow remembers changes until ctx ends. An error means that nothing is known.
func (c *culprits) follow(ctx context.Context, dirs ...string) {
	t, err := trace.Start(ctx, dirs...)
	if err != nil {
		return
	}
	go func() {
		for change := range t.Changes() {
			c.mu.Lock()
			c.recent = append(c.recent, change)
			if len(c.recent) > culpritsMost {
				c.recent = slices.Clone(c.recent[len(c.recent)-culpritsMost/2:])
			}
			c.mu.Unlock()
		}
	}()
}

// name completes a change of the report: with the process that made it if that is known, and
// otherwise with the programs that were started right before.
func (c *culprits) name(change *report.Change, since time.Time) {
	if change.Actor != "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, made := range slices.Backward(c.recent) {
		if made.Time.Before(since) {
			return
		}
		concerned := func(f guard.Finding) bool { return concerns(made, f) }
		if !slices.ContainsFunc(change.Appeared, concerned) && !slices.ContainsFunc(change.Gone, concerned) {
			continue
		}
		if made.Who.Process != nil {
			change.Actor = made.Who.Process.String()
			return
		}
		if change.Before == "" && len(made.Who.Before) > 0 {
			var all []string
			for _, p := range made.Who.Before {
				all = append(all, p.Short())
			}
			change.Before = strings.Join(all, "; ")
		}
	}
}

// concerns reports whether a finding is about what was changed.
func concerns(made trace.Change, f guard.Finding) bool {
	text := f.Object + " " + f.Problem + " " + f.Evidence
	switch made.Kind {
	case trace.KindLink:
		return path.Base(f.Object) == made.Object || slices.Contains(strings.Fields(text), made.Object)
	case trace.KindFile:
		return strings.Contains(text, filepath.Base(made.Object))
	case trace.KindSysctl:
		return strings.Contains(text, made.Object) || strings.Contains(text, strings.ReplaceAll(made.Object, ".", "/"))
	}
	object, _, _ := strings.Cut(made.Object, " ")
	return object != "default" && strings.Contains(text, strings.TrimSuffix(object, ":"))
}
