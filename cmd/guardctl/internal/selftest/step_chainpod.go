// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/version"
)

// checkable reports whether the list takes CHECK, which came with CNI 0.4.0.
func checkable(list *libcni.NetworkConfigList) bool {
	can, err := version.GreaterThanOrEqualTo(list.CNIVersion, "0.4.0")
	return err == nil && can && !list.DisableCheck
}

// list makes the chain a network of the rig.
func (r *rig) list() (*libcni.NetworkConfigList, error) {
	var plugins []map[string]any
	for _, p := range r.Chain.Plugins {
		conf, err := private(p)
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

func chainLives(ctx context.Context, r *rig) Result {
	list, err := r.list()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod, err := r.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if verb, err := r.live(ctx, list, pod); err != nil {
		return r.blame("cni-guard", verb, err)
	}
	r.chainLives = true
	verbs := []string{"ADD", "DEL"}
	if checkable(list) {
		verbs = slices.Insert(verbs, 1, "CHECK")
	}
	return ok("", "%s of %s succeed", strings.Join(verbs, ", "), strings.Join(r.Chain.types(), ", "))
}

func chainLost(ctx context.Context, r *rig) Result {
	if !slices.Contains(r.Chain.types(), "cni-guard") {
		return skipped("cni-guard is not in the chain")
	}
	if !r.chainLives {
		return skipped("no pod of the chain lives here")
	}
	list, err := r.list()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod, err := r.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if _, err := r.cni.AddNetworkList(ctx, list, pod); err != nil {
		return r.blame("cni-guard", "ADD", err)
	}
	return r.lose(ctx, list, pod)
}
