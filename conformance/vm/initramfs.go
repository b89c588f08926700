// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/cavaliergopher/cpio"
)

// orders are what init reads from /etc/orders.json. Their paths are the guest's.
type orders struct {
	Modules []string // in the order to load them in
	Sysctls []string
	Command []string
	Env     []string
	Dir     string
}

// writeInitramfs writes the guest's file system to a file.
func (m Machine) writeInitramfs(ctx context.Context, path string) error {
	t, err := m.tree(ctx)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(t.write(f), f.Close())
}

func (m Machine) tree(ctx context.Context) (tree, error) {
	t := newTree()
	for _, f := range m.Files {
		if err := t.add(f); err != nil {
			return nil, err
		}
	}
	if err := t.programs(ctx, m.Programs); err != nil {
		return nil, err
	}
	if err := t.add(File{Path: "/init", From: m.Init}); err != nil {
		return nil, err
	}
	o := orders{Command: m.Command, Env: m.Env, Dir: m.Dir, Sysctls: m.Sysctls}
	l, err := m.Kernel.library()
	if err != nil {
		return nil, err
	}
	modules, err := l.order(m.Modules)
	if err != nil {
		return nil, err
	}
	for _, module := range modules {
		path := "/usr/lib/modules/" + module.name + ".ko"
		t.put(path, node{mode: 0o644, text: module.elf})
		o.Modules = append(o.Modules, path)
	}
	text, err := json.Marshal(o)
	t.text("/etc/orders.json", string(text))
	return t, err
}

// write writes the tree as a cpio archive of the format newc, the one that
// kernels read (Documentation/driver-api/early-userspace/buffer-format.rst).
// Directories come before what they hold, as the kernel makes none by itself. It is
// not compressed: to unpack that takes an emulated processor seconds.
func (t tree) write(to io.Writer) error {
	archive := cpio.NewWriter(to)
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if err := t[name].write(archive, name); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return archive.Close()
}

func (n node) write(to *cpio.Writer, name string) error {
	h := &cpio.Header{Name: name, Mode: cpio.FileMode(n.mode.Perm())}
	content := n.text
	switch {
	case n.mode.IsDir():
		h.Mode |= cpio.TypeDir
		if n.mode&fs.ModeSticky != 0 {
			h.Mode |= cpio.ModeSticky
		}
	case n.mode&fs.ModeSymlink != 0:
		h.Mode |= cpio.TypeSymlink
		content = []byte(n.link)
	default:
		h.Mode |= cpio.TypeReg
	}
	if n.mode.IsRegular() && n.from != "" {
		var err error
		if content, err = os.ReadFile(n.from); err != nil {
			return err
		}
	}
	h.Size = int64(len(content))
	if err := to.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(to, bytes.NewReader(content))
	return err
}
