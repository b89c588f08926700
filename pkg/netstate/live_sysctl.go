// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// sysctlRoot is opened as a root: a name may hold an interface name, which a
// pod may choose, and must not lead elsewhere.
const sysctlRoot = "/proc/sys"

// Sysctl implements View. /proc/sys/net shows the namespace of the thread that
// opens the file, whatever thread reads it.
func (l *Live) Sysctl(name string) (value string, err error) {
	err = l.enter(func() error {
		f, err := os.OpenInRoot(sysctlRoot, name)
		if err != nil {
			return fmt.Errorf("read sysctl: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			return fmt.Errorf("read sysctl %s: %w", name, err)
		}
		value = strings.TrimSuffix(string(b), "\n")
		return nil
	})
	return value, err
}

// SetSysctl implements View.
func (l *Live) SetSysctl(name, value string) error {
	return l.enter(func() error {
		root, err := os.OpenRoot(sysctlRoot)
		if err != nil {
			return fmt.Errorf("write sysctl: %w", err)
		}
		defer root.Close()
		f, err := root.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("write sysctl: %w", err)
		}
		defer f.Close()
		if _, err := f.WriteString(value); err != nil {
			return fmt.Errorf("write sysctl %s: %w", name, err)
		}
		return nil
	})
}
