// SPDX-License-Identifier: Apache-2.0

// Package chain drives CNI networks through libcni as container runtimes do:
// containerd's order of networks, and its reading of errors.
package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// A Runtime has the two networks that containerd gives every pod: one with the
// plugin called loopback alone, and the one that its conf dir selects.
type Runtime struct {
	Default *libcni.NetworkConfigList

	loopback *libcni.NetworkConfigList
	cni      *libcni.CNIConfig
	exec     *recorder
	dir      string
}

// Name is the name of the default network.
const Name = "pods"

// NewRuntime makes a runtime that finds plugins in the directories, in their order,
// keeps its cache in dir/cache, and whose conf dir is dir/conf. What plugins
// write to standard error goes to the journal.
func NewRuntime(dir string, binDirs []string, journal io.Writer, version string, plugins ...Plugin) (*Runtime, error) {
	exec := &recorder{RawExec: invoke.RawExec{Stderr: journal}}
	r := &Runtime{dir: dir, exec: exec, cni: libcni.NewCNIConfigWithCacheDir(binDirs, filepath.Join(dir, "cache"), exec)}
	var err error
	// containerd has this version of the network compiled in.
	if r.loopback, err = parse("cni-loopback", "0.3.1", Plugin{"type": "loopback"}); err != nil {
		return nil, err
	}
	return r, r.Configure(version, plugins...)
}

// InternalLoopback makes the runtime leave lo out of ADD and DEL, as CRI-O does
// on DEL, and containerd where use_internal_loopback is set.
func (r *Runtime) InternalLoopback() { r.loopback = nil }

// Configure replaces the default network, as a new file in the conf dir does.
func (r *Runtime) Configure(version string, plugins ...Plugin) error {
	list, err := parse(Name, version, plugins...)
	if err != nil {
		return err
	}
	conf := filepath.Join(r.dir, "conf")
	if err := os.MkdirAll(conf, 0o755); err != nil {
		return fmt.Errorf("configure runtime: %w", err)
	}
	if err := os.WriteFile(filepath.Join(conf, "10-pods.conflist"), list.Bytes, 0o644); err != nil {
		return fmt.Errorf("configure runtime: %w", err)
	}
	r.Default = list
	return nil
}

func parse(name, version string, plugins ...Plugin) (*libcni.NetworkConfigList, error) {
	conf, err := json.Marshal(map[string]any{"cniVersion": version, "name": name, "plugins": plugins})
	if err != nil {
		return nil, fmt.Errorf("parse network %s: %w", name, err)
	}
	list, err := libcni.NetworkConfFromBytes(conf)
	if err != nil {
		return nil, fmt.Errorf("parse network %s: %w", name, err)
	}
	return list, nil
}

// Add attaches the pod to both networks and returns the default network's result.
// containerd runs the two side by side unless it is told setup_serially; here
// they follow each other, so that a run is like the next.
func (r *Runtime) Add(ctx context.Context, p Pod) (*types100.Result, error) {
	if r.loopback != nil {
		if _, err := r.cni.AddNetworkList(ctx, r.loopback, p.config("lo")); err != nil {
			return nil, fmt.Errorf("add pod to loopback network: %w", err)
		}
	}
	result, err := r.cni.AddNetworkList(ctx, r.Default, p.config("eth0"))
	if err != nil {
		return nil, fmt.Errorf("add pod to network: %w", err)
	}
	return types100.NewResultFromResult(result)
}

// Check asks whether the pod's network is as ADD left it.
func (r *Runtime) Check(ctx context.Context, p Pod) error {
	return r.cni.CheckNetworkList(ctx, r.Default, p.config("eth0"))
}

// Status asks whether the default network can take pods.
func (r *Runtime) Status(ctx context.Context) error {
	return r.cni.GetStatusNetworkList(ctx, r.Default)
}

// GC removes what belongs to other pods than these, as CRI-O does at its start.
func (r *Runtime) GC(ctx context.Context, valid ...Pod) error {
	args := &libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}
	for _, p := range valid {
		args.ValidAttachments = append(args.ValidAttachments, types.GCAttachment{ContainerID: p.ID, IfName: "eth0"})
	}
	return r.cni.GCNetworkList(ctx, r.Default, args)
}

// Cached reports whether the runtime still has its note of the pod's attachment.
func (r *Runtime) Cached(p Pod) bool {
	_, err := os.Stat(filepath.Join(r.dir, "cache", "results", Name+"-"+p.ID+"-eth0"))
	return err == nil
}

// Reload replaces the default network by the one that the runtime selects when it
// starts: the first file of the conf dir by name.
func (r *Runtime) Reload() error {
	files, err := libcni.ConfFiles(filepath.Join(r.dir, "conf"), []string{".conf", ".conflist", ".json"})
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	if len(files) == 0 {
		return errors.New("reload: the conf dir has no file")
	}
	slices.Sort(files)
	if r.Default, err = libcni.NetworkConfFromFile(files[0]); err != nil {
		return fmt.Errorf("reload %s: %w", files[0], err)
	}
	return nil
}
