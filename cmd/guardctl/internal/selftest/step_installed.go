// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// binDirs returns the plugin directories for messages.
func (r *rig) binDirs() string { return strings.Join(r.BinDirs, ", ") }

func guardInstalled(ctx context.Context, r *rig) Result {
	path := r.find("cni-guard")
	if path == "" {
		return failed("No pod is guarded. Run guardctl install --from DIR, where DIR has the programs of cni-guard, or name the runtime's plugin directory with --bin-dir.",
			"no cni-guard in %s", r.binDirs())
	}
	if !executable(path) {
		return failed("With cni-guard in the conflist no pod can start. Run chmod 0755 "+path, "%s is not executable", path)
	}
	if marker := checks.PassesThrough(conflist.Runtime{BinDirs: r.BinDirs}); marker != "" {
		return failed("No pod is guarded, and the steps below fail. Run guardctl install, or rm "+marker,
			"%s exists, as guardctl uninstall leaves it: the plugin passes every call through", marker)
	}
	info, err := r.cni.GetVersionInfo(ctx, "cni-guard")
	if err != nil {
		return failed("With cni-guard in the conflist no pod can start. Install the program that was built for this machine.", "%s does not answer VERSION: %v", path, err)
	}
	return ok("The runtime can call it.", "%s supports CNI %s", path, strings.Join(info.SupportedVersions(), ", "))
}

func guardctlInstalled(_ context.Context, r *rig) Result {
	const leak = "If cni-guard refuses a DEL, the pod's IP address leaks: containerd retries until guardctl is installed; CRI-O and podman do not retry, so the leak is permanent."
	guard := r.find("cni-guard")
	if guard == "" {
		return skipped("no cni-guard")
	}
	want := filepath.Join(filepath.Dir(guard), "guardctl")
	path := want
	if _, err := os.Stat(want); err != nil {
		path = r.find("guardctl")
	}
	switch {
	case path == "":
		return failed(leak+" Run install -m 0755 guardctl "+filepath.Dir(want)+"/", "no guardctl in %s", r.binDirs())
	case !executable(path):
		return failed(leak+" Run chmod 0755 "+path, "%s is not executable", path)
	}
	return ok("cni-guard finds it when it refuses a DEL.", "%s", path)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// passesResult checks that cni-guard returns the result of the plugins before it
// unchanged, including keys that it does not know.
func passesResult(ctx context.Context, r *rig) Result {
	guard := r.find("cni-guard")
	if guard == "" {
		return skipped("no cni-guard")
	}
	pod, err := r.newPod()
	if err != nil {
		return unclear("", "%v", err)
	}
	conf := guardConf()
	maps.Copy(conf, map[string]any{
		"cniVersion": "1.0.0", "name": "verify",
		"checks":     map[string]any{"pod-address": map[string]any{"policy": "off"}}, // the pod has no address
		"prevResult": sampleResult(pod.NetNS),
	})
	stdout, err := r.call(ctx, guard, "ADD", pod, conf)
	if err != nil {
		return failed("No pod can start.", "ADD: %v", err)
	}
	var got, want any
	if err := json.Unmarshal(stdout, &got); err != nil {
		return failed("No pod can start.", "ADD printed no JSON: %v", err)
	}
	if err := remarshal(conf["prevResult"], &want); err != nil {
		return unclear("", "%v", err)
	}
	if !reflect.DeepEqual(got, want) {
		return failed("The runtime may store a wrong result for pods.", "ADD returned another result than it was given: %s", stdout)
	}
	for _, verb := range []string{"CHECK", "DEL"} {
		if _, err := r.call(ctx, guard, verb, pod, conf); err != nil {
			return failed("Pods cannot be checked or removed.", "%s: %v", verb, err)
		}
	}
	return ok("cni-guard changes nothing for a healthy pod.", "ADD returns the result it was given; CHECK and DEL succeed")
}

// sampleResult returns a CNI result with a key that no version of the spec has.
func sampleResult(netns string) map[string]any {
	return map[string]any{
		"cniVersion":        "1.0.0",
		"interfaces":        []any{map[string]any{"name": "eth0", "mac": "02:00:00:00:00:01", "sandbox": netns}},
		"ips":               []any{map[string]any{"address": "10.88.0.9/24", "interface": 0}},
		"dns":               map[string]any{"nameservers": []any{"10.88.0.1"}},
		"example.com/extra": "yes",
	}
}

func remarshal(from, to any) error {
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	return err
}

// podNetwork returns a network of ptp, host-local and cni-guard if the first two are
// installed, else of cni-guard alone.
func (r *rig) podNetwork(name string) (list *libcni.NetworkConfigList, addresses bool, err error) {
	plugins := []map[string]any{guardConf()}
	if addresses = r.find("ptp") != "" && r.find("host-local") != ""; addresses {
		plugins = []map[string]any{{"type": "ptp", "ipMasq": false, "ipam": map[string]any{
			"type": "host-local", "dataDir": leaseDir,
			"ranges": []any{[]any{map[string]any{"subnet": "10.88.0.0/24"}}},
		}}, guardConf()}
	}
	list, err = network(name, "1.0.0", plugins...)
	return list, addresses, err
}

// loopbackConf returns the configuration that is compiled into containerd.
func loopbackConf() map[string]any {
	return map[string]any{"cniVersion": "0.3.1", "name": "cni-loopback", "type": "loopback"}
}

// findLoopback returns the path of the plugin that the runtime calls for lo, or "" and a
// result that says why the steps do not apply.
func (r *rig) findLoopback() (string, Result) {
	if r.NoLoopback != "" {
		return "", skipped("%s", r.NoLoopback)
	}
	path := r.find("loopback")
	if path == "" {
		return "", skipped("no loopback in %s; CRI-O needs none, nor does containerd 2 with use_internal_loopback", r.binDirs())
	}
	return path, Result{}
}

func loopbackAdd(ctx context.Context, r *rig) Result {
	path, unused := r.findLoopback()
	if path == "" {
		return unused
	}
	pod, err := r.newPod()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod.IfName = "lo"
	if _, err := r.call(ctx, path, "ADD", pod, loopbackConf()); err != nil {
		return failed("With containerd and cri-dockerd no pod can start.", "%s: ADD: %v", path, err)
	}
	up, err := sandboxLoUp(pod.NetNS)
	switch {
	case err != nil:
		return unclear("", "%v", err)
	case !up:
		return failed("Pods have no 127.0.0.1.", "%s: ADD leaves the pod's lo down", path)
	}
	return ok("Pods have 127.0.0.1.", "%s", path)
}

// loopbackDel calls the DEL that no chained plugin can stop.
func loopbackDel(ctx context.Context, r *rig) Result {
	path, unused := r.findLoopback()
	if path == "" {
		return unused
	}
	pod := &libcni.RuntimeConf{ContainerID: "cni-guard-verify-lo", NetNS: nodePath, IfName: "lo"}
	_, err := r.call(ctx, path, "DEL", pod, loopbackConf())
	up, loErr := nodeLoUp()
	switch {
	case loErr != nil:
		return unclear("", "%v", loErr)
	case !up:
		if err := setNodeLoUp(); err != nil {
			return unclear("", "%v", err)
		}
		return failed("When containerd or cri-dockerd stops such a pod, this node's lo goes DOWN. "+
			"Run guardctl install --loopback, which replaces "+path+", or set use_internal_loopback = true in containerd 2. CRI-O does not call it.",
			"%s takes the node's lo down", path)
	case err != nil && !strings.Contains(err.Error(), "not found"):
		return failed("The node's lo stays up, but the runtime repeats the DEL forever.", "%s: DEL: %v", path, err)
	}
	return ok("This node's lo stays up.", "%s does not touch the node's lo", path)
}
