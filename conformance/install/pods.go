// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"

	"github.com/cni-guard/cni-guard/conformance/node"
)

// Primary is a file of a bridge network whose leases are in the directory of the node.
func (n *Node) Primary() []byte {
	return fmt.Appendf(nil, `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipam": {
      "type": "host-local", "dataDir": %q, "ranges": [[{"subnet": "10.89.0.0/16"}]]
    }}
  ]
}
`, filepath.Join(n.Dir, "leases"))
}

// A Loop starts and stops pods one after the other, each with the configuration
// that is in the directory at that instant: a runtime that reloads at once.
type Loop struct {
	Name string // of the loop, in the names of pods
	Node *Node
	// Cached removes pods by the configuration that they were made with, as CRI-O
	// and podman do; otherwise by the one of that instant, as containerd does.
	Cached bool
	// Pods is how many came and went.
	Pods int
}

// Run runs pods until the context ends, and returns the first error of theirs. The
// calling process must be in a private node.
func (l *Loop) Run(ctx context.Context) error {
	exec := &invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: io.Discard}}
	cni := libcni.NewCNIConfigWithCacheDir([]string{l.Node.Bin()}, l.Node.Cache(), exec)
	lo, err := libcni.NetworkConfFromBytes([]byte(`{"cniVersion":"0.3.1","name":"cni-loopback","plugins":[{"type":"loopback"}]}`))
	if err != nil {
		return err
	}
	for ; ctx.Err() == nil; l.Pods++ {
		// A pod that began comes to its end.
		if err := l.pod(context.WithoutCancel(ctx), cni, lo); err != nil {
			return fmt.Errorf("pod %s-%d: %w", l.Name, l.Pods, err)
		}
	}
	return nil
}

func (l *Loop) pod(ctx context.Context, cni *libcni.CNIConfig, lo *libcni.NetworkConfigList) (err error) {
	id := fmt.Sprintf("%s-%d", l.Name, l.Pods)
	pin, err := node.NewPin(id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pin.Remove()) }()
	rt := func(ifName string) *libcni.RuntimeConf {
		return &libcni.RuntimeConf{ContainerID: id, NetNS: pin.Path, IfName: ifName}
	}
	list, err := l.Node.Load()
	if err != nil {
		return err
	}
	if _, err := cni.AddNetworkList(ctx, lo, rt("lo")); err != nil {
		return fmt.Errorf("ADD of loopback: %w", err)
	}
	if _, err := cni.AddNetworkList(ctx, list, rt("eth0")); err != nil {
		return fmt.Errorf("ADD: %w", err)
	}
	if list, err = l.forDEL(cni, list, rt("eth0")); err != nil {
		return err
	}
	if err := cni.DelNetworkList(ctx, lo, rt("lo")); err != nil {
		return fmt.Errorf("DEL of loopback: %w", err)
	}
	if err := cni.DelNetworkList(ctx, list, rt("eth0")); err != nil {
		return fmt.Errorf("DEL: %w", err)
	}
	return nil
}

// forDEL returns the list that the pod is removed by.
func (l *Loop) forDEL(cni *libcni.CNIConfig, list *libcni.NetworkConfigList, rt *libcni.RuntimeConf) (*libcni.NetworkConfigList, error) {
	if !l.Cached {
		return l.Node.Load()
	}
	cached, _, err := cni.GetNetworkListCachedConfig(list, rt)
	if err != nil {
		return nil, fmt.Errorf("read cache: %w", err)
	}
	return libcni.NetworkConfFromBytes(cached)
}

// Load returns the first list of the directory, as containerd loads it. A file that
// was renamed since the directory was read is an event, upon which a runtime reads
// the directory again.
func (n *Node) Load() (*libcni.NetworkConfigList, error) {
	for {
		files, err := libcni.ConfFiles(n.Conf(), []string{".conf", ".conflist", ".json"})
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("find a network: %d files: %w", len(files), err)
		}
		slices.Sort(files)
		list, err := libcni.NetworkConfFromFile(files[0])
		if !errors.Is(err, fs.ErrNotExist) {
			return list, err
		}
		if _, err := os.Lstat(files[0]); err == nil {
			return nil, fmt.Errorf("load network: %s is a link to nowhere", files[0])
		}
	}
}
