// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Memory is the path of the folder in which all who warm tunnels on a node tell
// each other what they did. It need not exist.
//
//	peers.json    what is known of each peer, by its probed address
//	lock          held by whoever asks peers
//	quiet-…       empty; its modification time, which lies ahead, is until when
//	              nothing needs to be done
//
// A file that cannot be read, that is from another boot or that makes no sense
// counts for one that is not there: the peers are asked once more.
type Memory string

// MemoryOf gives the folder within the state folder of the plugin.
func MemoryOf(stateDir string) Memory { return Memory(filepath.Join(stateDir, "tunnels")) }

// What the memory keeps. It is for a few networks of one node.
const (
	maxRemembered = 16384            // peers
	maxMemory     = 8 << 20          // bytes of peers.json
	forgetAfter   = 30 * time.Minute // without being asked
)

// A Record is what is known of a peer.
type Record struct {
	Outer     netip.Addr    `json:"outer,omitzero"`     // the node's own address; see Peer
	Asked     time.Time     `json:"asked"`              // the last time
	Confirmed time.Time     `json:"confirmed,omitzero"` // the last answer; zero: never
	Misses    int           `json:"misses,omitempty"`   // times it was asked since, without an answer
	State     State         `json:"state"`              // as of the last time
	RTT       time.Duration `json:"rttNanos,omitempty"` // of the last answer
	By        netip.Addr    `json:"by,omitzero"`        // see Answer
	Why       string        `json:"why,omitempty"`      // see Answer
}

// Known is the content of peers.json.
type Known struct {
	BootID string `json:"bootID"`
	// Netns is the namespace whose ADDs go by this memory; "" before the first of
	// them. Others may be given the same folder, and must not speak for it.
	Netns string                `json:"netns,omitempty"`
	Spent Spent                 `json:"spent"`
	Peers map[netip.Addr]Record `json:"peers"`
}

// of reports whether ADDs in the namespace go by the memory.
func (k Known) of(netns string) bool { return netns != "" && k.Netns == netns }

// Load gives what is known. The error is why peers.json counts for nothing, which
// is worth a word to people and no reason to stop; fs.ErrNotExist is not even that.
func (m Memory) Load(now time.Time) (Known, error) {
	boot, _ := netstate.BootID() // "": then nothing tells the boots apart but the clock
	empty := Known{BootID: boot, Peers: map[netip.Addr]Record{}}
	data, err := m.read()
	if err != nil {
		return empty, fmt.Errorf("read what is known of peers: %w", err)
	}
	var k Known
	if err := json.Unmarshal(data, &k); err != nil {
		return empty, fmt.Errorf("read what is known of peers: %w", err)
	}
	if k.BootID != boot {
		return empty, errors.New("read what is known of peers: it is from another boot")
	}
	maps.DeleteFunc(k.Peers, func(addr netip.Addr, r Record) bool {
		return !addr.IsValid() || r.Asked.After(now) || r.Confirmed.After(now) || r.Misses < 0 || now.Sub(r.Asked) > forgetAfter
	})
	if k.Spent.At.After(now) { // by another clock
		k.Spent = Spent{}
	}
	if k.Peers == nil {
		k.Peers = empty.Peers
	}
	return k, nil
}

// read reads the file without waiting for anything, whatever it is.
func (m Memory) read() ([]byte, error) {
	f, err := os.OpenFile(m.path("peers.json"), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	case info.Size() > maxMemory:
		return nil, errors.New("it is larger than any that was written")
	}
	return io.ReadAll(io.LimitReader(f, maxMemory))
}

// Save replaces what is known; the caller holds the lock. Of too many peers it
// keeps those that were asked last.
func (m Memory) Save(k Known) error {
	if len(k.Peers) > maxRemembered {
		k.Peers = k.youngest()
	}
	data, err := json.Marshal(k)
	if err == nil {
		err = m.withFolder(func() error {
			return m.replace("peers.json", data)
		})
	}
	if err != nil {
		return fmt.Errorf("remember peers: %w", err)
	}
	return nil
}

// youngest gives the records that there is room for, those that were asked last.
func (k Known) youngest() map[netip.Addr]Record {
	addrs := slices.Collect(maps.Keys(k.Peers))
	slices.SortFunc(addrs, func(a, b netip.Addr) int {
		return cmp.Or(k.Peers[b].Asked.Compare(k.Peers[a].Asked), a.Compare(b))
	})
	young := make(map[netip.Addr]Record, maxRemembered)
	for _, addr := range addrs[:maxRemembered] {
		young[addr] = k.Peers[addr]
	}
	return young
}

// replace writes a file whole or not at all. The lock makes it the only writer, so
// that the name of the file on the way is always the same, and a process that was
// killed leaves no more than one.
func (m Memory) replace(name string, data []byte) error {
	fresh := m.path(name + ".new")
	err := os.WriteFile(fresh, data, 0o600)
	if err == nil {
		err = os.Rename(fresh, m.path(name))
	}
	if err != nil {
		_ = os.Remove(fresh) // or what there is room for keeps the room
	}
	return err
}

// withFolder calls write, and once more with the folder made where it lacks.
func (m Memory) withFolder(write func() error) error {
	err := write()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(string(m), 0o700); err == nil {
			err = write()
		}
	}
	return err
}

func (m Memory) path(name string) string { return filepath.Join(string(m), name) }
