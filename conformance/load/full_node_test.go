// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A full is a node whose state directory is a small file system.
type full struct {
	*rigtest.Rig
	t       *testing.T
	runtime *chain.Runtime
	state   string
	said    bytes.Buffer // the runtime's journal
}

func newFull(t *testing.T, options string) *full {
	t.Helper()
	f := &full{Rig: rigtest.New(t), t: t}
	f.state = filepath.Join(f.Dir, "state")
	if err := os.Mkdir(f.state, 0o700); err != nil {
		t.Fatal(err)
	}
	flags := uintptr(0)
	if options == "ro" {
		flags, options = unix.MS_RDONLY, ""
	}
	if err := unix.Mount("tmpfs", f.state, "tmpfs", flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(f.state, unix.MNT_DETACH) })
	var err error
	f.runtime, err = chain.NewRuntime(f.Dir, []string{rigtest.GuardDir(t), rigtest.RefDir(t)}, &f.said, "1.0.0",
		chain.PTP(f.HostLocal()), chain.Guard(f.Dir))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fill uses up what room there is.
func (f *full) fill() {
	f.t.Helper()
	file, err := os.Create(filepath.Join(f.state, "filler"))
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if file != nil {
		file.Close()
	}
}

func (f *full) free() {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.state, "filler")); err != nil {
		f.t.Fatal(err)
	}
}

func (f *full) add(id string) chain.Pod {
	f.t.Helper()
	pin, err := node.NewPin(id)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = pin.Remove() })
	p := chain.Pod{ID: id, Netns: pin.Path}
	if _, err := f.runtime.Add(f.t.Context(), p); err != nil {
		f.t.Fatalf("%s does not start: %v", id, err)
	}
	return p
}

// wantRemoved removes a pod that is well.
func (f *full) wantRemoved(p chain.Pod) {
	f.t.Helper()
	if removal := f.runtime.Remove(f.t.Context(), p); !removal.Complete() || len(removal.Said) > 0 {
		f.t.Errorf("%s does not stop: %v, %v", p.ID, removal.Err, removal.Said)
	}
	f.wantNoLease(p)
}

// wantRefused removes a pod whose path leads elsewhere.
func (f *full) wantRefused(p chain.Pod) {
	f.t.Helper()
	removal := f.runtime.Remove(f.t.Context(), p)
	if !removal.Complete() || !strings.Contains(fmt.Sprint(removal.Said), "released without it") {
		f.t.Errorf("the DEL of %s was not refused: %v, %v", p.ID, removal.Err, removal.Said)
	}
	f.wantNoLease(p)
}

func (f *full) wantNoLease(p chain.Pod) {
	f.t.Helper()
	if held, err := chain.Leases(f.LeaseDir(), p); err != nil || len(held) > 0 {
		f.t.Errorf("%s still holds %v: %v", p.ID, held, err)
	}
}

func (f *full) wantSaid(words ...string) {
	f.t.Helper()
	for _, w := range words {
		if !strings.Contains(f.said.String(), w) {
			f.t.Errorf("the journal does not say %q: %s", w, f.said.String())
		}
	}
	f.said.Reset()
}

func (f *full) wantSilence() {
	f.t.Helper()
	if f.said.Len() > 0 {
		f.t.Errorf("the journal has something to say: %s", f.said.String())
	}
}

func (f *full) snapshot() string {
	f.t.Helper()
	text, err := node.Snapshot(f.Node.Path)
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}
