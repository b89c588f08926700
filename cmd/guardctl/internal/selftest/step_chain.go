// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

const entry = `{"type": "cni-guard"}`

// chainGuarded reads the list as libcni does: last first on DEL.
func chainGuarded(_ context.Context, r *rig) Result {
	all := r.Chain.types()
	inlined := all[:r.Chain.Inlined]
	switch {
	case !slices.Contains(all, "cni-guard"):
		return failed("No pod of this network is guarded. Add "+entry+" as the last of its plugins.",
			"cni-guard is not in %s (%s)", r.Chain.File, strings.Join(all, ", "))
	case !slices.Contains(inlined, "cni-guard"):
		return failed("Runtimes that delete from their cache (CRI-O) do not call a drop-in on DEL. Write "+entry+" into the file, as the last of its plugins.",
			"cni-guard is a drop-in beside %s", r.Chain.File)
	case all[len(all)-1] != "cni-guard":
		return failed("On DEL it acts before the guard can stop it. Move "+entry+" to the end of the list.",
			"%s stands behind cni-guard in %s", all[len(all)-1], r.Chain.File)
	}
	return ok("On DEL it is asked first, and can stop the others.", "%s: %s", r.Chain.File, strings.Join(all, ", "))
}

func chainInstalled(_ context.Context, r *rig) Result {
	var missing []string
	for _, plugin := range r.Chain.types() {
		if r.find(plugin) == "" {
			missing = append(missing, plugin)
		}
	}
	if len(missing) > 0 {
		return failed("No pod of this network starts. Install what is missing, or name the runtime's plugin folder with --bin-dir.",
			"not in %s: %s", r.where(), strings.Join(missing, ", "))
	}
	return ok("", "all %d are in %s", len(r.Chain.Plugins), r.where())
}

// chainConfigured returns the guard its own entry, and nothing before it.
func chainConfigured(ctx context.Context, r *rig) Result {
	guard := r.find("cni-guard")
	i := slices.Index(r.Chain.types(), "cni-guard")
	if guard == "" || i < 0 {
		return skipped("no cni-guard")
	}
	_, problems := checks.ParseEntry(r.Chain.Plugins[i])
	if text := checks.EntryErrors(problems); text != "" {
		return failed("No pod of this network starts. Put the entry right in "+r.Chain.File+".", "%s", text)
	}
	conf, err := private(r.Chain.Plugins[i])
	if err != nil {
		return unclear("", "%v", err)
	}
	maps.Copy(conf, map[string]any{"name": r.Chain.Name, "cniVersion": r.Chain.CNIVersion})
	pod, err := r.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	_, err = r.call(ctx, guard, "ADD", pod, conf)
	switch {
	case err != nil && code(err) == types.ErrInvalidNetworkConfig:
		return failed("No pod of this network starts. Mend the entry in "+r.Chain.File+".", "%v", err)
	case err != nil:
		return failed("No pod of this network starts.", "ADD: %v", err)
	}
	return ok(checks.EntryWarnings(problems), "%s", r.Chain.Plugins[i])
}

// private returns a plugin's configuration with the directories of the rig in the
// place of the node's.
func private(plugin json.RawMessage) (map[string]any, error) {
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
