// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"
)

// read returns a module and the names of those that it needs. The packages have
// no modules.dep, which depmod writes where they are installed, from the same
// section of each module.
func (l library) read(name string) (module, []string, error) {
	path, ok := l.files[name]
	if !ok {
		return module{}, nil, fmt.Errorf("find module %s: kernel %s has none of that name, neither built in nor as a file", name, l.kernel.Release)
	}
	raw, err := decompress(path)
	if err != nil {
		return module{}, nil, fmt.Errorf("read module %s: %w", path, err)
	}
	needs, err := depends(raw)
	if err != nil {
		return module{}, nil, fmt.Errorf("read module %s: %w", path, err)
	}
	return module{name: name, elf: raw}, needs, nil
}

// decompress reads a module: Debian compresses them since 6.12.
func decompress(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch filepath.Ext(path) {
	case ".ko":
		return io.ReadAll(f)
	case ".xz":
		r, err := xz.NewReader(f)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	return nil, fmt.Errorf("compressed in a way that is not known here: %s", filepath.Ext(path))
}

// depends reads the field of that name of the section .modinfo, which holds
// "key=value" strings that end with a zero byte.
func depends(raw []byte) ([]string, error) {
	file, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	section := file.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("it has no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		if names, ok := strings.CutPrefix(field, "depends="); ok && names != "" {
			return strings.Split(names, ","), nil
		}
	}
	return nil, nil
}
