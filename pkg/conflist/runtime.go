// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"fmt"
	"slices"
	"strings"
)

// A Kind is a runtime that selects files by its own rules. The zero Kind is
// none: who calls plugins by the name of a network (podman, nerdctl, cnitool)
// selects no file.
type Kind uint8

// The runtimes that select a file, by their loaders.
const (
	Containerd Kind = iota + 1 // go-cni v1.1.14
	CRIO                       // ocicni v0.5.0
	CRIDockerd                 // cri-dockerd 0.4, libcni v1.1.2
)

// kindNames are in the order of the constants.
func kindNames() []string { return []string{"", "containerd", "crio", "cri-dockerd"} }

// ParseKind reads what String gives, but for that of the zero Kind.
func ParseKind(name string) (Kind, error) {
	if i := slices.Index(kindNames(), name); i > 0 {
		return Kind(i), nil
	}
	return 0, fmt.Errorf("read runtime: %q is none of %s", name, strings.Join(kindNames()[1:], ", "))
}

// String gives "containerd", "crio" or "cri-dockerd"; "" of the zero Kind.
func (k Kind) String() string {
	if names := kindNames(); int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// MarshalText gives what String gives.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what String gives; "" is the zero Kind.
func (k *Kind) UnmarshalText(text []byte) (err error) {
	*k = 0
	if len(text) > 0 {
		*k, err = ParseKind(string(text))
	}
	return err
}

// title is what people call the runtime.
func (k Kind) DisplayName() string {
	if k == CRIO {
		return "CRI-O"
	}
	return k.String()
}

// A Runtime is what selects: the kind, and what of its configuration matters.
type Runtime struct {
	Kind Kind
	// MaxConfNum is containerd's max_conf_num: how many files it loads, each a
	// network that every pod is attached to. 0 and less is all of them.
	MaxConfNum int
	// DefaultNetwork is CRI-O's cni_default_network. Where it is set no other
	// network is attached by default, though this one be missing.
	DefaultNetwork string
	// BinDirs is where CRI-O and cri-dockerd look for plugins before they take a
	// file. Empty: plugins are not looked for, and all are taken to be there.
	BinDirs []string
	// Supports asks a plugin's VERSION whether it knows a version of the spec, as
	// CRI-O and cri-dockerd do before they take a file. Nil: nobody is asked.
	Supports func(binary, cniVersion string) error
}

// NewRuntime gives a runtime as it is when nobody configured it.
func NewRuntime(kind Kind) Runtime { return Runtime{Kind: kind, MaxConfNum: 1} }
