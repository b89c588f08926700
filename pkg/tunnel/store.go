// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A PeerStore is the path of the directory through which the processes of a node that
// warm its tunnels share their state. It need not exist.
//
//	peers.json  the PeerStates
//	lock        held by the process that probes peers
//	quiet-…     empty; nothing needs to be done until its modification time, which is
//	            in the future
//
// A file that cannot be read, that is from another boot or that is malformed counts as
// missing: the peers are probed once more.
type PeerStore string

// PeerStoreIn returns the store in the state directory of the plugin.
func PeerStoreIn(stateDir string) PeerStore { return PeerStore(filepath.Join(stateDir, "tunnels")) }

// Limits of the store. It serves a few networks of one node.
const (
	maxStoredPeers = 16384
	maxStoreSize   = 8 << 20          // bytes of peers.json
	forgetAfter    = 30 * time.Minute // without a probe
)

// Load returns the stored states, and empty ones with an error. The error says why
// peers.json counts as missing: it is worth a warning, but no reason to stop. With
// fs.ErrNotExist nothing was stored yet.
func (s PeerStore) Load(now time.Time) (PeerStates, error) {
	boot, _ := netstate.BootID() // "": then only the clock distinguishes the boots
	empty := PeerStates{BootID: boot, Peers: map[netip.Addr]PeerState{}}
	data, err := s.read()
	if err != nil {
		return empty, fmt.Errorf("read the state of peers: %w", err)
	}
	var states PeerStates
	if err := json.Unmarshal(data, &states); err != nil {
		return empty, fmt.Errorf("read the state of peers: %w", err)
	}
	if states.BootID != boot {
		return empty, errors.New("read the state of peers: it is from another boot")
	}
	maps.DeleteFunc(states.Peers, func(addr netip.Addr, p PeerState) bool {
		return !addr.IsValid() || p.LastProbe.After(now) || p.LastAnswer.After(now) || p.Misses < 0 || now.Sub(p.LastProbe) > forgetAfter
	})
	if states.Budget.At.After(now) { // written by another clock
		states.Budget = SendBudget{}
	}
	if states.Peers == nil {
		states.Peers = empty.Peers
	}
	return states, nil
}

// read reads peers.json. It blocks on nothing, whatever the file is.
func (s PeerStore) read() ([]byte, error) {
	f, err := os.OpenFile(s.path("peers.json"), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > maxStoreSize:
		return nil, errors.New("larger than the guard writes it")
	}
	return io.ReadAll(io.LimitReader(f, maxStoreSize))
}

// Save replaces the stored states; the caller holds the lock. Of too many peers it keeps
// those that were probed last.
func (s PeerStore) Save(states PeerStates) error {
	states.Peers = states.latest(maxStoredPeers)
	data, err := json.Marshal(states)
	if err == nil {
		err = s.inDirectory(func() error { return s.replace("peers.json", data) })
	}
	if err != nil {
		return fmt.Errorf("write the state of peers: %w", err)
	}
	return nil
}

// replace writes a file completely or not at all. Because of the lock it is the only
// writer. The temporary file always has the same name, so that killed processes leave no
// more than one.
func (s PeerStore) replace(name string, data []byte) error {
	temporary := s.path(name + ".new")
	err := os.WriteFile(temporary, data, 0o600)
	if err == nil {
		err = os.Rename(temporary, s.path(name))
	}
	if err != nil {
		_ = os.Remove(temporary) // on a full disk it would keep the space
	}
	return err
}

// inDirectory calls write; if the directory is missing, it makes it and calls write again.
func (s PeerStore) inDirectory(write func() error) error {
	err := write()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(string(s), 0o700); err == nil {
			err = write()
		}
	}
	return err
}

func (s PeerStore) path(name string) string { return filepath.Join(string(s), name) }

// ErrBusy says that another process is probing the peers.
var ErrBusy = errors.New("another process is probing the peers")

// TryLock takes the lock. If another process has it, the error wraps ErrBusy. The lock
// ends with the process at the latest.
func (s PeerStore) TryLock() (unlock func(), err error) {
	var f *os.File
	err = s.inDirectory(func() (err error) {
		f, err = os.OpenFile(s.path("lock"), os.O_RDWR|os.O_CREATE|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0o600)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lock the state of peers: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return func() { f.Close() }, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrBusy
	}
	return nil, fmt.Errorf("lock the state of peers: %w", err)
}

// lock takes the lock as soon as it is free, or returns ErrBusy when ctx ends. Before
// each further attempt it calls proceed, which may be nil, and returns its error.
func (s PeerStore) lock(ctx context.Context, proceed func() error) (unlock func(), err error) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		unlock, err = s.TryLock()
		if !errors.Is(err, ErrBusy) {
			return unlock, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, err
		}
		if proceed != nil {
			if err := proceed(); err != nil {
				return nil, err
			}
		}
	}
}

// RescanInterval is how long routes are not read again after all peers were dealt with.
// It is the longest time that a new peer waits for an ADD to probe it.
const RescanInterval = 30 * time.Second

// A SuppressionKey stands for the callers that want the same, so that they do nothing as
// long as nothing needs to be done. A caller that wants more peers must not be suppressed
// by one that wants fewer.
type SuppressionKey string

// NewSuppressionKey returns the key of those that want the same kinds of tunnels, further
// addresses and answers, in any order.
func NewSuppressionKey(kinds []string, extra []netip.Addr, require Require) SuppressionKey {
	kinds = slices.Sorted(slices.Values(kinds))
	extra = slices.SortedFunc(slices.Values(extra), netip.Addr.Compare)
	if !require.NeedsAnswers() {
		require = "" // as earlier versions name it in the file
	}
	return SuppressionKey(fmt.Sprint(strings.Join(kinds, ","), extra, string(require)))
}

// Suppressed reports whether nothing needs to be done now. It costs one lstat. A time
// further in the future than any that Suppress writes is that of another clock.
func (s PeerStore) Suppressed(key SuppressionKey, now time.Time) bool {
	info, err := os.Lstat(s.suppressionPath(key))
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	left := info.ModTime().Sub(now)
	return 0 < left && left <= RescanInterval+time.Second // file systems round times
}

// Suppress records that nothing needs to be done until a time, but for RescanInterval at
// most.
func (s PeerStore) Suppress(key SuppressionKey, now, until time.Time) error {
	if latest := now.Add(RescanInterval); until.After(latest) {
		until = latest
	}
	path := s.suppressionPath(key)
	err := os.Chtimes(path, time.Time{}, until)
	if errors.Is(err, fs.ErrNotExist) {
		err = s.inDirectory(func() error {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0o600)
			if err != nil {
				return err
			}
			return f.Close()
		})
		if err == nil {
			err = os.Chtimes(path, time.Time{}, until)
		}
	}
	if err != nil {
		return fmt.Errorf("suppress further probes: %w", err)
	}
	return nil
}

// Unsuppress takes back what Suppress recorded.
func (s PeerStore) Unsuppress(key SuppressionKey) error {
	if err := os.Remove(s.suppressionPath(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("end the suppression of probes: %w", err)
	}
	return nil
}

func (s PeerStore) suppressionPath(key SuppressionKey) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return s.path(fmt.Sprintf("quiet-%016x", h.Sum64()))
}
