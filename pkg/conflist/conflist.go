// SPDX-License-Identifier: Apache-2.0

// Package conflist determines which file of a CNI config directory a runtime
// selects, and why it does not select the others.
//
// It follows the code of the loaders: go-cni v1.1.14 (loadFromConfDir) for
// containerd and ocicni v0.5.0 (loadNetworks) for CRI-O, both with libcni v1.3.1,
// and cri-dockerd with libcni v1.1.2. Conformance tests compare Select with the
// first two on thousands of directories. docs/conflist.md describes the rules.
//
// Plugins that run for every pod import this package. It therefore links no libcni,
// and Effective reads no more files than the runtime would.
package conflist

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// GuardType is the type of the guard's entry in a list of plugins.
const GuardType = "cni-guard"

// OwnFile is the copy of the network plugin's file, with the guard added, that
// guardctl install --placement own writes.
const OwnFile = "00-cni-guard.conflist"

// A Kind is a runtime with its own rules of selection. The zero Kind is none: podman,
// nerdctl and cnitool call plugins by the name of a network and select no file.
type Kind uint8

// The runtimes that select a file, with their loaders.
const (
	Containerd Kind = iota + 1 // go-cni v1.1.14
	CRIO                       // ocicni v0.5.0
	CRIDockerd                 // cri-dockerd 0.4, libcni v1.1.2
)

// kindNames returns the names in the order of the constants.
func kindNames() []string { return []string{"", "containerd", "crio", "cri-dockerd"} }

// ParseKind parses what String returns, except for the zero Kind.
func ParseKind(name string) (Kind, error) {
	if i := slices.Index(kindNames(), name); i > 0 {
		return Kind(i), nil
	}
	return 0, fmt.Errorf("read runtime: %q is none of %s", name, strings.Join(kindNames()[1:], ", "))
}

// String returns "containerd", "crio" or "cri-dockerd", and "" for the zero Kind.
func (k Kind) String() string {
	if names := kindNames(); int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// DisplayName returns the name of the runtime as its users write it: "CRI-O".
func (k Kind) DisplayName() string {
	if k == CRIO {
		return "CRI-O"
	}
	return k.String()
}

// MarshalText returns what String returns.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText parses what String returns; "" is the zero Kind.
func (k *Kind) UnmarshalText(text []byte) (err error) {
	*k = 0
	if len(text) > 0 {
		*k, err = ParseKind(string(text))
	}
	return err
}

// A Runtime is a kind of runtime with the settings that affect the selection.
type Runtime struct {
	Kind Kind
	// MaxConfNum is containerd's max_conf_num: the number of files that it loads. Every
	// pod is attached to the network of each. 0 and less means all files.
	MaxConfNum int
	// DefaultNetwork is CRI-O's cni_default_network. If it is set, CRI-O selects no
	// other network, even if this one is missing.
	DefaultNetwork string
	// BinDirs are the directories in which CRI-O and cri-dockerd look for the plugins of
	// a file before they select it. If it is empty, all plugins are assumed to exist.
	BinDirs []string
	// Supports asks a plugin by its VERSION command whether it supports a version of the
	// spec, as CRI-O and cri-dockerd do before they select a file. If it is nil, all
	// versions are assumed to be supported.
	Supports func(binary, cniVersion string) error
	// Files are the files of the node; nil for those of this machine.
	Files hostfs.FS
}

// NewRuntime returns a runtime with its default settings.
func NewRuntime(kind Kind) Runtime { return Runtime{Kind: kind, MaxConfNum: 1} }
