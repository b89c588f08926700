// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A newFile is a file that appears under its name when it is complete. It is written by
// its directory's descriptor, so that it stays where it was meant to be if the process
// changes its root meanwhile.
type newFile struct {
	dir             *os.Root
	file            *os.File
	name, temporary string
	done            bool
}

// create creates a file, for its owner only.
func create(path string) (*newFile, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("create bundle: %s exists and is not a regular file", path)
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("create bundle: %w", err)
	}
	n := &newFile{dir: dir, name: filepath.Base(path)}
	n.temporary = "." + n.name + "." + rand.Text()[:8]
	if n.file, err = dir.OpenFile(n.temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		dir.Close()
		return nil, fmt.Errorf("create bundle: %w", err)
	}
	return n, nil
}

// commit writes the content and gives the file its name.
func (n *newFile) commit(write func(io.Writer) error) error {
	buffer := bufio.NewWriter(n.file)
	if err := write(buffer); err != nil {
		return err
	}
	if err := buffer.Flush(); err != nil {
		return err
	}
	if err := n.file.Sync(); err != nil {
		return err
	}
	if err := n.file.Close(); err != nil {
		return err
	}
	if err := n.dir.Rename(n.temporary, n.name); err != nil {
		return err
	}
	n.done = true
	return nil
}

// discard removes the file unless it was committed.
func (n *newFile) discard() {
	if !n.done {
		_ = n.file.Close()
		_ = n.dir.Remove(n.temporary)
	}
	_ = n.dir.Close()
}
