// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/vm"
)

// machine returns all of the machine but its kernel.
func (o options) machine() (vm.Machine, error) {
	m := vm.Machine{
		Init: o.init, Command: slices.Clone(o.command), Env: environment(o.env),
		Programs: split(strings.Join(o.programs, ",")), Modules: split(o.modules), Sysctls: o.sysctls,
		MemoryMB: o.memory, CPUs: o.cpus, OwnTime: o.ownTime, Deadline: o.deadline,
		Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if o.console {
		m.Console = os.Stderr
	}
	if m.Init == "" {
		m.Init = besides("vm-init")
	}
	if strings.Contains(o.command[0], "/") {
		path, err := filepath.Abs(o.command[0])
		if err != nil {
			return m, fmt.Errorf("find program: %w", err)
		}
		m.Command[0] = path
	}
	m.Programs = append(m.Programs, m.Command[0]) // with libraries, if it has any
	if o.dir != "" {
		if err := share(&m, o.dir, &m.Dir); err != nil {
			return m, err
		}
	}
	for _, file := range o.files {
		from, to, _ := strings.Cut(file, "=")
		if err := share(&m, from, &to); err != nil {
			return m, err
		}
	}
	return m, nil
}

// share returns the guest a file of ours at the path to, or the same where to is
// none, and leaves in to what the guest's path is.
func share(m *vm.Machine, from string, to *string) error {
	from, err := filepath.Abs(from)
	if err != nil {
		return fmt.Errorf("share %s: %w", from, err)
	}
	if !filepath.IsAbs(*to) {
		*to = from
	}
	m.Files = append(m.Files, vm.File{Path: *to, From: from})
	return nil
}

// environment returns variables that have no value the one that they have here,
// and leaves out those that are not set.
func environment(names []string) []string {
	var env []string
	for _, name := range names {
		if strings.Contains(name, "=") {
			env = append(env, name)
		} else if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// besides returns the path of a file in the directory of this program, or "".
func besides(name string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

func split(names string) []string {
	return slices.DeleteFunc(strings.Split(names, ","), func(name string) bool { return name == "" })
}
