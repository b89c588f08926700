// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A Chain is a network configuration list of the node, including the plugins that libcni
// reads from the directory with the network's name.
type Chain struct {
	File       string
	Name       string
	CNIVersion string
	NoCheck    bool // disableCheck
	Inlined    int  // how many of the plugins are in the file itself
	Plugins    []json.RawMessage
}

// FindChain reads a configuration list, given as a file or as the name of a network. Of
// several files for the network it reads the first.
func FindChain(fileOrNetwork string, confDirs []string) (*Chain, error) {
	if strings.ContainsRune(fileOrNetwork, '/') || conflist.Loadable(fileOrNetwork) {
		return readChain(fileOrNetwork)
	}
	var known []string
	for _, dir := range confDirs {
		files, err := conflist.Names(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		for _, file := range files {
			file = filepath.Join(dir, file)
			name := networkOf(file)
			if name == fileOrNetwork {
				return readChain(file)
			}
			known = append(known, fmt.Sprintf("%s (%s)", name, file))
		}
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("find network %q: %s has no configuration files", fileOrNetwork, strings.Join(confDirs, ", "))
	}
	return nil, fmt.Errorf("find network %q: no file configures it; there are %s", fileOrNetwork, strings.Join(known, ", "))
}

// networkOf returns the name of the network that a file configures, or "unreadable".
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
			err = errors.New(`it configures a single plugin, so cni-guard cannot be chained; a list has the key "plugins"`)
		}
		return nil, fmt.Errorf("read chain %s: %w", file, err)
	}
	c := &Chain{File: file, Name: list.Name, CNIVersion: list.CNIVersion, NoCheck: list.DisableCheck, Inlined: len(inline.Plugins)}
	for _, p := range list.Plugins {
		c.Plugins = append(c.Plugins, p.Bytes)
	}
	return c, nil
}

// types returns the types of the plugins.
func (c *Chain) types() []string {
	var types []string
	for _, p := range c.Plugins {
		var conf struct{ Type string }
		_ = json.Unmarshal(p, &conf) // libcni has parsed it already
		types = append(types, conf.Type)
	}
	return types
}

const entry = `{"type": "cni-guard"}`

// guardEndsChain checks the place of cni-guard: libcni calls the last plugin first on DEL.
func guardEndsChain(_ context.Context, r *rig) Result {
	all := r.Chain.types()
	inlined := all[:r.Chain.Inlined]
	switch {
	case !slices.Contains(all, "cni-guard"):
		return failed("Pods of this network are not guarded. Run guardctl install, or add "+entry+" as the last plugin.",
			"cni-guard is not in %s (%s)", r.Chain.File, strings.Join(all, ", "))
	case !slices.Contains(inlined, "cni-guard"):
		return failed("Runtimes that delete from their cache (CRI-O) do not call a drop-in on DEL. Add "+entry+" to the file itself, as the last plugin.",
			"cni-guard is a drop-in beside %s", r.Chain.File)
	case all[len(all)-1] != "cni-guard":
		return failed("On DEL that plugin is called before cni-guard can refuse. Move "+entry+" to the end of the list.",
			"%s comes after cni-guard in %s", all[len(all)-1], r.Chain.File)
	}
	return ok("On DEL cni-guard is called first and can stop the other plugins.", "%s: %s", r.Chain.File, strings.Join(all, ", "))
}

func chainInstalled(_ context.Context, r *rig) Result {
	var missing []string
	for _, plugin := range r.Chain.types() {
		if r.find(plugin) == "" {
			missing = append(missing, plugin)
		}
	}
	if len(missing) > 0 {
		return failed("No pod of this network can start. Install the missing plugins, or name the runtime's plugin directory with --bin-dir.",
			"not in %s: %s", r.binDirs(), strings.Join(missing, ", "))
	}
	return ok("", "all %d are in %s", len(r.Chain.Plugins), r.binDirs())
}

// chainConfigured calls cni-guard alone, with its configuration from the chain.
func chainConfigured(ctx context.Context, r *rig) Result {
	guard := r.find("cni-guard")
	i := slices.Index(r.Chain.types(), "cni-guard")
	if guard == "" || i < 0 {
		return skipped("no cni-guard")
	}
	_, problems := checks.ParseEntry(r.Chain.Plugins[i])
	if text := checks.EntryErrors(problems); text != "" {
		return failed("No pod of this network can start. Correct the configuration of cni-guard in "+r.Chain.File+".", "%s", text)
	}
	conf, err := privateConf(r.Chain.Plugins[i])
	if err != nil {
		return unclear("", "%v", err)
	}
	maps.Copy(conf, map[string]any{"name": r.Chain.Name, "cniVersion": r.Chain.CNIVersion})
	pod, err := r.newPod()
	if err != nil {
		return unclear("", "%v", err)
	}
	_, err = r.call(ctx, guard, "ADD", pod, conf)
	switch {
	case err != nil && code(err) == types.ErrInvalidNetworkConfig:
		return failed("No pod of this network can start. Correct the configuration of cni-guard in "+r.Chain.File+".", "%v", err)
	case err != nil:
		return failed("No pod of this network can start.", "ADD: %v", err)
	}
	return ok(checks.EntryWarnings(problems), "%s", r.Chain.Plugins[i])
}

// privateConf returns a plugin's configuration with the rig's directories instead of the
// node's.
func privateConf(plugin json.RawMessage) (map[string]any, error) {
	var conf map[string]any
	if err := json.Unmarshal(plugin, &conf); err != nil {
		return nil, err
	}
	if conf["type"] == "cni-guard" {
		maps.Copy(conf, guardConf())
	}
	if conf["type"] == "flannel" && conf["dataDir"] != nil {
		conf["dataDir"] = stateDir + "/flannel"
	}
	if ipam, ok := conf["ipam"].(map[string]any); ok && ipam["type"] == "host-local" {
		ipam["dataDir"] = leaseDir
	}
	return conf, nil
}

// hasCheck reports whether the runtime calls CHECK for the list (since CNI 0.4.0).
func hasCheck(list *libcni.NetworkConfigList) bool {
	can, err := version.GreaterThanOrEqualTo(list.CNIVersion, "0.4.0")
	return err == nil && can && !list.DisableCheck
}

// chainNetwork returns the chain as a network of the rig.
func (r *rig) chainNetwork() (*libcni.NetworkConfigList, error) {
	var plugins []map[string]any
	for _, p := range r.Chain.Plugins {
		conf, err := privateConf(p)
		if err != nil {
			return nil, err
		}
		plugins = append(plugins, conf)
	}
	list, err := network(r.Chain.Name, r.Chain.CNIVersion, plugins...)
	if err == nil {
		list.DisableCheck = r.Chain.NoCheck
	}
	return list, err
}

func chainPodStartsAndStops(ctx context.Context, r *rig) Result {
	list, err := r.chainNetwork()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod, err := r.newPod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if verb, err := r.startAndStop(ctx, list, pod); err != nil {
		return r.blame("cni-guard", verb, err)
	}
	r.chainWorks = true
	verbs := []string{"ADD", "DEL"}
	if hasCheck(list) {
		verbs = slices.Insert(verbs, 1, "CHECK")
	}
	return ok("", "%s of %s succeed", strings.Join(verbs, ", "), strings.Join(r.Chain.types(), ", "))
}

func lostChainPod(ctx context.Context, r *rig) Result {
	if !slices.Contains(r.Chain.types(), "cni-guard") {
		return skipped("cni-guard is not in the chain")
	}
	if !r.chainWorks {
		return skipped("no pod of the chain starts here")
	}
	list, err := r.chainNetwork()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod, err := r.newPod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if _, err := r.cni.AddNetworkList(ctx, list, pod); err != nil {
		return r.blame("cni-guard", "ADD", err)
	}
	return r.deleteWithNodePath(ctx, list, pod)
}
