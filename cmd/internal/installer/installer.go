// SPDX-License-Identifier: Apache-2.0

// Package installer installs the guard on a node, removes it, and replaces its programs.
// At every instant the runtime selects a network whose plugins all exist, even if a
// process is killed or the disk is full. Each command makes a Plan. Its steps are atomic,
// and their order maintains that guarantee. Running the command again makes a plan of the
// remaining steps.
//
// On install the programs come first and the config file last; on uninstall it is the
// other way round. To change a file, the new content is written beside it, under a name
// that nothing loads or runs, and renamed.
package installer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist/lock"
)

// A Request says what to do on which node.
type Request struct {
	Site      site.Site
	RecordDir string
	// File is the name of the file that the guard goes into; "" for the intended one.
	File string
	// From is the directory with cni-guard, guardctl and, for Loopback, loopback.
	From string
	// Placement is "" for that of the present installation, or Inline if there is none.
	Placement Placement
	Loopback  bool
	// Mode is the "mode" of a new entry; "" is the default.
	Mode string
	// LastEntry is the guard's entry as it was before the network plugin rewrote the file; nil
	// for the one on record. It is used only where the file has none.
	LastEntry json.RawMessage
	// Allow are patterns of names of other files that the guard accepts; see
	// checks.ConflistOptions.
	Allow []string
	// Elsewhere are other config directories of the node. No program is removed while a file
	// there names the guard.
	Elsewhere []string
	// Force makes Uninstall keep the guard's own file, without the guard's entry, if pods
	// would get another network or none without the file. It also removes the programs while
	// cached attachments of sandboxes that are gone name them.
	Force bool
	// Grace is how long the plugin stays after the last list named it, and after the last
	// call; see Uninstall.
	Grace time.Duration
	// DryRun says that the plan is not carried out.
	DryRun bool
	// ConfOnly makes Install leave the programs as they are: the plugin must be installed.
	// From is not used then.
	ConfOnly bool
	// Supports asks plugins for the versions that they support; see conflist.Runtime.
	Supports func(binary, cniVersion string) error

	siteAsNamed site.Site // Site before links were resolved
	release     *Release  // the programs of From; nil until they are read
	rooted      bool      // whether Enter changed the root
}

// A Plan is the remaining steps of a command.
type Plan struct {
	Steps []Step
	// Notes are for the operator, whether or not the steps are done.
	Notes []string
}

// A Step changes one thing atomically.
type Step struct {
	// Does describes the step in the imperative: "write /etc/cni/net.d/10-a.conflist".
	Does string
	// Diff is the unified diff of a config file; nil for other steps.
	Diff []byte
	do   func() error
}

func (p *Plan) step(do func() error, does string, args ...any) {
	p.Steps = append(p.Steps, Step{Does: fmt.Sprintf(does, args...), do: do})
}

func (p *Plan) note(text string, args ...any) { p.Notes = append(p.Notes, fmt.Sprintf(text, args...)) }

// Run carries out the steps, and reports each that is done. It stops at the first error;
// running the command again continues from there.
func (p Plan) Run(done func(Step)) error {
	for i, s := range p.Steps {
		if err := s.do(); err != nil {
			if i > 0 && !errors.Is(err, ErrRewritten) {
				return fmt.Errorf("%w (%d of %d steps are done; pods still start, and running this again continues)", err, i, len(p.Steps))
			}
			return err
		}
		done(s)
	}
	return nil
}

// attempts is how often Do makes a plan. A network plugin writes its file once or twice
// when it starts.
const attempts = 5

// backoff is how long Do waits before its second plan. The wait doubles before each
// further plan, 1.5 s in all. A program that writes a file in place needs less.
const backoff = 100 * time.Millisecond

// Do makes a plan and carries it out. If another program rewrites a file meanwhile, it
// makes a new plan, five times at most. It returns the last plan, and how many steps were
// done in all.
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
		// No plan could be made from a file that was just rewritten. It may be incomplete,
		// if the program writes it in place.
	}
	if errors.Is(err, ErrRewritten) {
		err = fmt.Errorf("%w, %d times in a row: find out which program keeps writing the file, or use --placement own; pods still start", err, attempts)
	}
	return p, steps, err
}

// Enter changes the root of this process to the node's file system, which is mounted at
// root in a container that installs the guard. From then on every path is a path of the
// node, and links are resolved within the root. The programs of From, which are the
// container's, are read before. Plugins are started with the node's files, but in the
// namespaces of the container.
func (r *Request) Enter(root string) error {
	if r.From != "" {
		if err := r.openRelease(); err != nil {
			return err
		}
	}
	if err := EnterRoot(root); err != nil {
		return err
	}
	r.rooted = true
	return nil
}

// EnterRoot changes the root of this process. It needs CAP_SYS_CHROOT.
func EnterRoot(root string) error {
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return fmt.Errorf("enter the node at %s: it is not a directory: name the mount point of the node's file system with --root", root)
	}
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("enter the node at %s: %w: --root needs root and CAP_SYS_CHROOT", root, err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("enter the node at %s: %w", root, err)
	}
	return nil
}

// Lock keeps two commands from working at once on a node: those with the same record, and
// those that change the same config directory, including quarantine and restore. Both
// locks are files that only root can open. Lock creates the record directory if it is
// missing, and releasing the lock removes both if the record is not there: neither a failed
// install nor an uninstall leaves anything. The kernel releases the locks when the process
// ends.
func Lock(dir, confDir string) (release func(), err error) {
	f, err := lockRecord(dir)
	if err != nil {
		return nil, err
	}
	conf := func() {}
	if _, statErr := os.Stat(confDir); statErr == nil { // if it is missing, the plan says what to do
		if conf, err = lock.ConfDir(confDir); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, viewPrefix+"*"))
	for _, view := range left { // left by a command that was killed
		_ = os.RemoveAll(view)
	}
	return func() {
		conf()
		if !exists(recordPath(dir)) {
			_ = os.Remove(f.Name())
			_ = os.Remove(dir) // fails if anything else is in it
		}
		_ = f.Close()
	}, nil
}

// lockRecord locks the file "lock" of the record directory. A process that waits at the
// file while another one removes it gets the lock of a file that no other process will open;
// so it tries again with the present one.
func lockRecord(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	for range attempts {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, explain("create record directory "+dir, dir, err)
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, fs.ErrNotExist) { // the directory was removed meanwhile
			continue
		}
		if err != nil {
			return nil, explain("lock "+path, path, err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errors.New("another guardctl is installing or removing the guard: wait until it has ended (fuser " + path + " shows it)")
		}
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		locked, errLocked := f.Stat()
		present, errPresent := os.Stat(path)
		if errLocked == nil && errPresent == nil && os.SameFile(locked, present) {
			return f, nil
		}
		_ = f.Close()
	}
	return nil, fmt.Errorf("lock %s: it is removed again and again by other commands: try again", path)
}
