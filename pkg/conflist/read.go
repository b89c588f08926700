// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// Read parses one file of a config directory as go-cni and ocicni do with libcni
// v1.3.1: a .conflist as a list with its drop-ins, any other file as a single plugin.
// Unlike them it never blocks on a pipe. What could be parsed is returned beside the
// error.
func Read(dir, name string) (List, error) { return Runtime{}.Read(dir, name) }

// Read is as the function of that name, but reads the files of r.
func (r Runtime) Read(dir, name string) (List, error) {
	return read(hostfs.Or(r.Files), dir, name, name, parser{})
}

// ReadAs parses one loadable file of a config directory as a runtime would. The error
// says why the runtime refuses the file; what could be parsed is returned beside it.
// CRI-O knows a file without a network name by its file name.
func ReadAs(dir, name string, r Runtime) (List, error) {
	if r.Kind == 0 {
		return List{}, fmt.Errorf("read %s: %w", filepath.Join(dir, name), errNoRuntime)
	}
	return r.read(dir, name, name)
}

// read parses a file as if it had another name. With the zero Kind the rules of
// parsing are containerd's.
func (r Runtime) read(dir, file, name string) (List, error) {
	l, err := read(hostfs.Or(r.Files), dir, file, name, parser{libcni112: r.Kind == CRIDockerd})
	if err == nil && (r.Kind == CRIO || r.Kind == CRIDockerd) {
		err = r.checkPlugins(l)
	}
	if r.Kind == CRIO && l.Name == "" && err == nil {
		l.Name = name // path.Base in loadNetworks
	}
	return l, err
}

func read(files hostfs.FS, dir, file, name string, p parser) (List, error) {
	doc, modTime, err := readFile(files, filepath.Join(dir, file))
	if err != nil {
		return List{}, err
	}
	l, err := p.parse(doc, isList(name))
	l.ModTime = modTime
	if err == nil && isList(name) && !p.libcni112 {
		err = l.addDropIns(files, dir)
	}
	return l, err
}

// addDropIns appends the plugins of <dir>/<network>/*.conf, as libcni does since
// v1.3.0 for lists of every version (NetworkPluginConfsFromFiles). The network's name
// is a part of that path: "" and "." lead to dir itself, ".." to its parent.
func (l *List) addDropIns(files hostfs.FS, dir string) error {
	if !l.InlinedOnly {
		from := filepath.Join(dir, l.Name)
		entries, err := files.ReadDir(from)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read drop-ins of network %q: %w", l.Name, err)
		}
		for _, e := range entries {
			if e.IsDir() || filepath.Ext(e.Name()) != ".conf" {
				continue
			}
			p, err := readDropIn(files, filepath.Join(from, e.Name()))
			if err != nil {
				return fmt.Errorf("read drop-in %s: %w", filepath.Join(from, e.Name()), err)
			}
			p.DropIn = filepath.Join(l.Name, e.Name())
			l.Plugins = append(l.Plugins, p)
		}
	}
	if len(l.Plugins) == 0 {
		return errors.New("it has no plugins, and no drop-in adds one")
	}
	return nil
}

func readDropIn(files hostfs.FS, path string) (Plugin, error) {
	doc, _, err := readFile(files, path)
	if err != nil {
		return Plugin{}, err
	}
	conf, err := parser{}.parsePlugin(doc)
	return Plugin{Type: conf.Type, Raw: doc}, err
}

// checkPlugins is libcni's ValidateNetworkList: each plugin, including those of
// drop-ins, must exist and support the version of the list.
func (r Runtime) checkPlugins(l List) error {
	if len(r.BinDirs) == 0 {
		return nil
	}
	version := l.CNIVersion
	if version == "" {
		version = "0.1.0"
	}
	for _, p := range l.Plugins {
		binary, err := r.findBinary(p.Type)
		if err != nil {
			return err
		}
		if r.Supports == nil {
			continue
		}
		if err := r.Supports(binary, version); err != nil {
			return fmt.Errorf("plugin %s: %w", binary, err)
		}
	}
	return nil
}

// findBinary is libcni's FindInPath: it returns the first regular file of that name,
// whether or not it is executable.
func (r Runtime) findBinary(plugin string) (string, error) {
	if strings.ContainsRune(plugin, os.PathSeparator) {
		return "", fmt.Errorf("plugin type %q is a path, and must be a name", plugin)
	}
	for _, dir := range r.BinDirs {
		binary := filepath.Join(dir, plugin)
		if info, err := hostfs.Or(r.Files).Stat(binary); err == nil && info.Mode().IsRegular() {
			return binary, nil
		}
	}
	return "", fmt.Errorf("plugin %q is not in %s", plugin, strings.Join(r.BinDirs, ", "))
}

// maxSize is the size from which a file is not read. No real config file comes near
// it; runtimes have no such limit.
const maxSize = 16 << 20

var (
	errTooLarge = errors.New("it is larger than 16 MiB")
	// errPipe is the error for a named pipe: to open it blocks.
	errPipe = errors.New("it is a named pipe, on which every reader blocks: remove it")
)

// readFile reads a file without ever blocking. A runtime that opens a pipe waits for
// its writer, and loads nothing meanwhile.
func readFile(files hostfs.FS, path string) ([]byte, time.Time, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, time.Time{}, openError(files, path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read file: %w", err)
	}
	if err := checkRegular(info); err != nil {
		return nil, time.Time{}, err
	}
	content := make([]byte, 0, info.Size()+1)
	for {
		n, err := f.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		switch {
		case errors.Is(err, io.EOF):
			return content, info.ModTime(), nil
		case err != nil:
			return nil, time.Time{}, fmt.Errorf("read file: %w", err)
		case len(content) >= maxSize:
			return nil, time.Time{}, errTooLarge
		case len(content) == cap(content):
			content = append(content, 0)[:len(content)]
		}
	}
}

func checkRegular(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular() && info.Size() >= maxSize:
		return errTooLarge
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("it is a link to a directory")
	case mode&fs.ModeNamedPipe != 0:
		return errPipe
	}
	return errors.New("it is a device, not a file")
}

// openError adds the target to the error of a dangling link.
func openError(files hostfs.FS, path string, err error) error {
	if to, linkErr := files.Readlink(path); linkErr == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it is a link to %s, which does not exist: %w", to, fs.ErrNotExist)
	}
	return fmt.Errorf("read file: %w", err)
}
