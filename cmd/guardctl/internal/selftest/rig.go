// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A rig is a private node with a runtime on it.
type rig struct {
	Request
	exec *executor
	cni  *libcni.CNIConfig
	pods int // number of pods so far

	chainWorks bool // a pod of the node's chain started and stopped
}

func newRig(r Request) *rig {
	e := new(executor)
	return &rig{Request: r, exec: e, cni: libcni.NewCNIConfigWithCacheDir(r.BinDirs, cacheDir, e)}
}

// The directories of the runtime and the plugins of the private node.
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

// newPod creates a pod with a sandbox.
func (r *rig) newPod() (*libcni.RuntimeConf, error) {
	r.pods++
	id := fmt.Sprintf("cni-guard-verify-%d", r.pods)
	path, err := mountSandbox(id)
	return &libcni.RuntimeConf{ContainerID: id, NetNS: path, IfName: "eth0", Args: [][2]string{
		{"IgnoreUnknown", "1"}, {"K8S_POD_NAMESPACE", "cni-guard"}, {"K8S_POD_NAME", id}, {"K8S_POD_INFRA_CONTAINER_ID", id},
	}}, err
}

// withNodePath returns the pod with a path that leads to the node.
func withNodePath(pod *libcni.RuntimeConf) *libcni.RuntimeConf {
	lost := *pod
	lost.NetNS = nodePath
	return &lost
}

// guardConf returns a configuration of cni-guard that uses the rig's directories.
func guardConf() map[string]any {
	return map[string]any{"type": "cni-guard", "stateDir": stateDir, "cacheDir": cacheDir, "confDir": confDir}
}

// network returns a network configuration list of the plugins.
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

// code returns the code of a plugin's error, or 0.
func code(err error) uint {
	var e *types.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// call calls a plugin as libcni does.
func (r *rig) call(ctx context.Context, path, verb string, pod *libcni.RuntimeConf, conf map[string]any) ([]byte, error) {
	stdin, err := json.Marshal(conf)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", path, err)
	}
	args := &invoke.Args{Command: verb, ContainerID: pod.ContainerID, NetNS: pod.NetNS, IfName: pod.IfName,
		PluginArgs: pod.Args, Path: filepath.Dir(path)}
	return r.exec.ExecPlugin(ctx, path, stdin, args.AsEnv())
}

// callTimeout bounds each call of a plugin. A plugin that waits for an API server, which
// it cannot reach here, would take minutes.
const callTimeout = 20 * time.Second

// An executor runs plugins for libcni and remembers which plugin failed last.
type executor struct {
	invoke.RawExec
	version.PluginDecoder

	failed string // type of the plugin that failed last
}

// ExecPlugin implements invoke.Exec. It does not wait for children of a killed plugin that
// keep its output open; they end with the private node.
func (e *executor) ExecPlugin(ctx context.Context, path string, stdin []byte, environ []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	type answer struct {
		stdout []byte
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		stdout, err := e.RawExec.ExecPlugin(ctx, path, stdin, environ)
		done <- answer{stdout, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			e.failed = filepath.Base(path)
			if ctx.Err() != nil {
				a.err = fmt.Errorf("did not answer within %s: %w", callTimeout, a.err)
			}
		}
		return a.stdout, a.err
	case <-time.After(callTimeout + time.Second):
		e.failed = filepath.Base(path)
		return nil, fmt.Errorf("did not answer within %s", callTimeout)
	}
}

// netnsDir is where runtimes mount the namespaces of sandboxes; here it is in memory.
const netnsDir = "/run/netns"

// nodePath leads every plugin to the private node, as a stale path may lead it to the
// real one.
const nodePath = "/proc/self/ns/net"

// mountSandbox creates a sandbox and mounts its namespace, as containerd and CRI-O do. It
// ends with the private node.
func mountSandbox(name string) (path string, err error) {
	path = filepath.Join(netnsDir, name)
	pid, stop, err := hold()
	if err != nil {
		return "", fmt.Errorf("create sandbox: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		return "", fmt.Errorf("mount sandbox: %w", err)
	}
	if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/net", pid), path, "", unix.MS_BIND, ""); err != nil {
		return "", fmt.Errorf("mount sandbox: %w", err)
	}
	return path, nil
}

// endSandbox unmounts the namespace of a sandbox, which ends it.
func endSandbox(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("end sandbox: %w", err)
	}
	return nil
}

// nodeLoUp reports whether lo of the private node is up.
func nodeLoUp() (bool, error) {
	node, err := netstate.OpenNode()
	if err != nil {
		return false, err
	}
	defer node.Close()
	return loUp(node)
}

// sandboxLoUp reports whether lo of the sandbox is up.
func sandboxLoUp(path string) (bool, error) {
	sandbox := netstate.OpenNetns(path)
	defer sandbox.Close()
	view, err := sandbox.View()
	if err != nil {
		return false, err
	}
	defer view.Close()
	return loUp(view)
}

func loUp(view netstate.View) (bool, error) {
	lo, err := view.Link("lo")
	return lo.Up, err
}

// setNodeLoUp brings lo of the private node up.
func setNodeLoUp() error {
	node, err := netstate.OpenNode()
	if err != nil {
		return err
	}
	defer node.Close()
	return node.SetUp("lo")
}
