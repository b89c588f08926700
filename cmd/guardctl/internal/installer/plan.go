// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/site"
)

// A Request says what is to be done, and where.
type Request struct {
	Site      site.Site
	RecordDir string
	// File is the name of the file that the guard goes into; "" for the intended one.
	File string
	// From is the folder that has cni-guard, guardctl and, with Loopback, loopback.
	From string
	// Placement is "" for that of the installation that there is, or else Inline.
	Placement Placement
	Loopback  bool
	// Mode is the "mode" of a new entry; "" leaves it to the default.
	Mode string
	// Allow are patterns of names of files that the guard is to find right beside its
	// own; see checks.ConflistOptions.
	Allow []string
	// Elsewhere are other conf dirs of the node. No program goes while a file there
	// names the guard.
	Elsewhere []string
	// Force lets Uninstall take the guard's entry out of its own file, and keep the
	// file, where without it pods would get another network, or none; and remove the
	// programs though attachments name them whose sandboxes are gone.
	Force bool
	// Grace is how long the plugin stays after the last conflist named it, and
	// after the last call; see Uninstall.
	Grace time.Duration
	// DryRun says that the plan is only looked at.
	DryRun bool
	// Supports asks plugins for their versions; see conflist.Runtime.
	Supports func(binary, cniVersion string) error

	named   site.Site // Site as it was named, before links were followed
	release *Release  // the programs of From, once they were read
	rooted  bool      // the node's files are those below a folder, see Enter
}

// A Plan is what is left to do.
type Plan struct {
	Steps []Step
	// Notes tell what the operator should know, done or not.
	Notes []string
}

// A Step changes one thing, whole or not at all.
type Step struct {
	// Does says what, as a sentence without its end.
	Does string
	// Diff is the change of a configuration, unified; nil for others.
	Diff []byte
	do   func() error
}

func (p *Plan) step(do func() error, does string, args ...any) {
	p.Steps = append(p.Steps, Step{Does: fmt.Sprintf(does, args...), do: do})
}

func (p *Plan) note(text string, args ...any) { p.Notes = append(p.Notes, fmt.Sprintf(text, args...)) }

// Run does the steps, and reports each that is done. It stops at the first that
// fails; running the command again goes on from there.
func (p Plan) Run(done func(Step)) error {
	for i, s := range p.Steps {
		if err := s.do(); err != nil {
			if i > 0 && !errors.Is(err, ErrRewritten) {
				return fmt.Errorf("%w (%d of %d steps are done; pods start all the same, and running this again goes on)", err, i, len(p.Steps))
			}
			return err
		}
		done(s)
	}
	return nil
}

// attempts is how often Do makes a plan. A network plugin that starts writes its
// file once or twice.
const attempts = 5

// backoff is how long Do waits before its second plan, and twice as long before
// each further one: 1.5 s in all, which is longer than a writer takes that does not
// rename.
const backoff = 100 * time.Millisecond

// Do makes a plan and carries it out. When somebody rewrites a file meanwhile it
// plans again, from what is there by then, and gives up after the fifth time. It
// returns the last plan and how many steps were done in all.
func Do(r Request, make func(Request) (Plan, error), done func(Step)) (p Plan, steps int, err error) {
	count := func(s Step) { steps++; done(s) }
	var rewritten error
	for i := range attempts {
		if i > 0 {
			time.Sleep(backoff << (i - 1))
		}
		p, err = make(r)
		if err == nil {
			err = p.Run(count)
		}
		switch {
		case errors.Is(err, ErrRewritten):
			rewritten = err
		case err == nil || rewritten == nil:
			return p, steps, err
		}
		// Otherwise no plan could be made of a file that was just rewritten. It may
		// be half a file, of a writer that does not rename.
	}
	if errors.Is(err, ErrRewritten) {
		err = fmt.Errorf("%w, and did so %d times: find out which program writes the file again and again, or use --placement own; pods start all the same", err, attempts)
	}
	return p, steps, err
}
