// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
)

// A rig is a private node with a runtime on it.
type rig struct {
	Request
	exec *executor
	cni  *libcni.CNIConfig
	made int // sandboxes so far

	chainLives bool // a pod of the node's chain was seen to start and stop
}

func newRig(r Request) *rig {
	e := new(executor)
	return &rig{Request: r, exec: e, cni: libcni.NewCNIConfigWithCacheDir(r.BinDirs, cacheDir, e)}
}

// Where the runtime of the private node, and the plugins, keep what they keep.
const (
	cacheDir = workDir + "/cache"
	confDir  = workDir + "/conf"
	stateDir = workDir + "/state"
	leaseDir = workDir + "/leases"
)

// find returns the path of an installed program, or "".
func (r *rig) find(program string) string {
	path, err := invoke.FindInPath(program, r.BinDirs)
	if err != nil {
		return ""
	}
	return path
}

// pod makes a sandbox for a new pod.
func (r *rig) pod() (*libcni.RuntimeConf, error) {
	r.made++
	id := fmt.Sprintf("cni-guard-verify-%d", r.made)
	path, err := pin(id)
	return &libcni.RuntimeConf{ContainerID: id, NetNS: path, IfName: "eth0", Args: [][2]string{
		{"IgnoreUnknown", "1"}, {"K8S_POD_NAMESPACE", "cni-guard"}, {"K8S_POD_NAME", id}, {"K8S_POD_INFRA_CONTAINER_ID", id},
	}}, err
}

// gone is the same pod when its path leads to the node.
func gone(pod *libcni.RuntimeConf) *libcni.RuntimeConf {
	lost := *pod
	lost.NetNS = nodePath
	return &lost
}

// guardConf is an entry of the guard that keeps to the rig's directories.
func guardConf() map[string]any {
	return map[string]any{"type": "cni-guard", "stateDir": stateDir, "cacheDir": cacheDir, "confDir": confDir}
}

// network makes a list of the plugins.
func network(name, version string, plugins ...map[string]any) (*libcni.NetworkConfigList, error) {
	conf, err := json.Marshal(map[string]any{"cniVersion": version, "name": name, "plugins": plugins})
	if err != nil {
		return nil, fmt.Errorf("make network %s: %w", name, err)
	}
	return libcni.NetworkConfFromBytes(conf)
}

// leases returns how many addresses host-local holds for the network.
func leases(network string) int {
	held, _ := filepath.Glob(filepath.Join(leaseDir, network, "*.*.*.*"))
	return len(held)
}

// code returns the code of a plugin's error; 0 where it gave none.
func code(err error) uint {
	var e *types.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// call runs one verb of one plugin, as libcni does.
func (r *rig) call(ctx context.Context, path, verb string, pod *libcni.RuntimeConf, conf map[string]any) ([]byte, error) {
	stdin, err := json.Marshal(conf)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", path, err)
	}
	args := &invoke.Args{Command: verb, ContainerID: pod.ContainerID, NetNS: pod.NetNS, IfName: pod.IfName,
		PluginArgs: pod.Args, Path: filepath.Dir(path)}
	return r.exec.ExecPlugin(ctx, path, stdin, args.AsEnv())
}
