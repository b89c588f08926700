// SPDX-License-Identifier: Apache-2.0

package dirwatch_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/dirwatch"
)

// watch watches a directory below a new one. The channels receive what is reported.
func watch(t *testing.T) (dir string, changed, armed chan struct{}) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "net.d")
	changed, armed = make(chan struct{}, 1000), make(chan struct{}, 1000)
	w := dirwatch.New(func() []string { return []string{dir} },
		func(bool) { changed <- struct{}{} },
		func(events bool, err error) {
			if !events {
				t.Errorf("the kernel does not report changes: %v", err)
			}
			armed <- struct{}{}
		})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	<-armed
	return dir, changed, armed
}

// Files that are written, renamed and deleted are reported, also in a directory that is
// created after the watch began, and in one that takes its place.
func TestChanges(t *testing.T) {
	dir, changed, armed := watch(t)
	file := filepath.Join(dir, "10-a.conflist")
	next := func(what string, do func() error) {
		t.Helper()
		for len(changed) > 0 {
			<-changed
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("%s is not reported", what)
		}
	}
	next("a new directory", func() error { return os.Mkdir(dir, 0o755) })
	<-armed
	next("a new file", func() error { return os.WriteFile(file, []byte("{}"), 0o600) })
	next("a renamed file", func() error { return os.Rename(file, file+".old") })
	next("a deleted file", func() error { return os.Remove(file + ".old") })
	next("another directory", func() error {
		if err := os.Rename(dir, dir+".old"); err != nil {
			return err
		}
		return os.Mkdir(dir, 0o755)
	})
}
