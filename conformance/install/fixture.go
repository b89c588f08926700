// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A Node is the folders of a node on which the guard is installed, inside one
// folder: conf, bin, record, cache.
type Node struct {
	Dir     string
	Runtime string   // containerd, crio or cri-dockerd
	Flags   []string // more flags for every command
	From    string   // the directory of the programs to install
	Select  string   // the program that Selected asks: see rigtest.SelectBatch

	guardctl string // the one that is run: that of the release, not the installed one
}

// NewNode makes a node in dir that has the plugins of ref, by links, and a
// loopback of its own; guard is the folder of our programs.
func NewNode(dir, runtime, guard, ref string) (*Node, error) {
	n := &Node{Dir: dir, Runtime: runtime, From: guard, guardctl: filepath.Join(guard, "guardctl")}
	for _, d := range []string{n.Conf(), n.Bin(), n.Record(), n.Cache()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make node: %w", err)
		}
	}
	plugins, err := os.ReadDir(ref)
	if err != nil {
		return nil, fmt.Errorf("make node: %w", err)
	}
	for _, p := range plugins {
		put := os.Symlink
		if p.Name() == "loopback" {
			put = os.Link // it is a file on nodes
		}
		if err := put(filepath.Join(ref, p.Name()), filepath.Join(n.Bin(), p.Name())); err != nil {
			return nil, fmt.Errorf("make node: %w", err)
		}
	}
	return n, nil
}

// Conf is the conf dir.
func (n *Node) Conf() string { return filepath.Join(n.Dir, "conf") }

// Bin is where plugins are.
func (n *Node) Bin() string { return filepath.Join(n.Dir, "bin") }

// Record is where guardctl writes down what it did.
func (n *Node) Record() string { return filepath.Join(n.Dir, "record") }

// Cache is that of the runtime.
func (n *Node) Cache() string { return filepath.Join(n.Dir, "cache") }

// Command prepares install, uninstall or upgrade.
func (n *Node) Command(verb string, flags ...string) *exec.Cmd {
	args := []string{verb, "--runtime", n.Runtime, "--conf-dir", n.Conf(), "--bin-dir", n.Bin(), "--record-dir", n.Record(), "--cache-dir", n.Cache()}
	if verb != "uninstall" {
		args = append(args, "--from", n.From)
	}
	return exec.Command(n.guardctl, append(append(args, n.Flags...), flags...)...)
}

// Run runs a command, with what it said in the error.
func (n *Node) Run(verb string, flags ...string) error {
	if said, err := n.Command(verb, flags...).CombinedOutput(); err != nil {
		return fmt.Errorf("guardctl %s: %w: %s", verb, err, said)
	}
	return nil
}

// Selected asks what the runtime selects: the network, and the plugins
// of its list. A plugin that is not in the directory of plugins is an error.
func (n *Node) Selected() (network string, plugins []string, err error) {
	var answer struct {
		Disabled  string
		Effective string
		Files     []struct {
			Name    string
			Network string
			Plugins []string
		}
	}
	request, err := json.Marshal(map[string]any{"dir": n.Conf(), "runtime": n.Runtime, "maxConfNum": 1, "binDirs": []string{n.Bin()}})
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(n.Select)
	cmd.Stdin = bytes.NewReader(request)
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &answer)
	}
	if err != nil {
		return "", nil, fmt.Errorf("ask what is selected: %w", err)
	}
	for _, f := range answer.Files {
		if f.Name == answer.Effective {
			return f.Network, f.Plugins, n.there(f.Plugins)
		}
	}
	return "", nil, fmt.Errorf("nothing is selected: %s", answer.Disabled)
}

// there makes sure that plugins can be executed.
func (n *Node) there(plugins []string) error {
	for _, p := range append(plugins, "loopback") {
		info, err := os.Stat(filepath.Join(n.Bin(), p))
		if err == nil && (info.Mode().Perm()&0o111 == 0 || info.Size() == 0) {
			err = errors.New("it cannot be executed")
		}
		if err != nil {
			return fmt.Errorf("a plugin of the selected network: %w", err)
		}
	}
	return nil
}
