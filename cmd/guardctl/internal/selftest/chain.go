// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"
)

// A Chain is a conflist of the node, with the plugins that libcni adds to it
// from the directory of the network's name.
type Chain struct {
	File       string
	Name       string
	CNIVersion string
	NoCheck    bool // "disableCheck"
	Inlined    int  // so many of the plugins stand in the file itself
	Plugins    []json.RawMessage
}

// FindChain reads a conflist, given as a file or as the name of a network that
// the first file of a conf dir configures.
func FindChain(fileOrNetwork string, confDirs []string) (*Chain, error) {
	if strings.ContainsRune(fileOrNetwork, '/') || slices.Contains(endings(), filepath.Ext(fileOrNetwork)) {
		return readChain(fileOrNetwork)
	}
	var known []string
	for _, dir := range confDirs {
		files, err := libcni.ConfFiles(dir, endings())
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		for _, file := range files {
			name := networkOf(file)
			if name == fileOrNetwork {
				return readChain(file)
			}
			known = append(known, fmt.Sprintf("%s (%s)", name, file))
		}
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("network %q is configured nowhere: no configuration is in %s", fileOrNetwork, strings.Join(confDirs, ", "))
	}
	return nil, fmt.Errorf("network %q is configured nowhere; there are %s", fileOrNetwork, strings.Join(known, ", "))
}

func endings() []string { return []string{".conflist", ".conf", ".json"} }

// networkOf returns the name of the network that a file configures, or a remark.
func networkOf(file string) string {
	var conf struct{ Name string }
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &conf)
	}
	if err != nil {
		return "unreadable"
	}
	return conf.Name
}

func readChain(file string) (*Chain, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read chain: %w", err)
	}
	inline, err := libcni.NetworkConfFromBytes(data)
	if err != nil {
		return nil, fmt.Errorf("read chain %s: %w", file, err)
	}
	list, err := libcni.NetworkConfFromFile(file)
	if err != nil {
		if _, single := libcni.NetworkPluginConfFromBytes(data); single == nil {
			err = errors.New(`it configures a single plugin, behind which none can stand; a list has "plugins"`)
		}
		return nil, fmt.Errorf("read chain %s: %w", file, err)
	}
	c := &Chain{File: file, Name: list.Name, CNIVersion: list.CNIVersion, NoCheck: list.DisableCheck, Inlined: len(inline.Plugins)}
	for _, p := range list.Plugins {
		c.Plugins = append(c.Plugins, p.Bytes)
	}
	return c, nil
}

// types returns the type of each plugin.
func (c *Chain) types() []string {
	var types []string
	for _, p := range c.Plugins {
		var conf struct{ Type string }
		_ = json.Unmarshal(p, &conf) // libcni has parsed it already
		types = append(types, conf.Type)
	}
	return types
}
