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

// list makes the chain a network of the lab.
func (l *lab) list() (*libcni.NetworkConfigList, error) {
	var plugins []map[string]any
	for _, p := range l.Chain.Plugins {
		conf, err := private(p)
		if err != nil {
			return nil, err
		}
		plugins = append(plugins, conf)
	}
	list, err := network(l.Chain.Name, l.Chain.CNIVersion, plugins...)
	if err == nil {
		list.DisableCheck = l.Chain.NoCheck
	}
	return list, err
}

func chainLives(ctx context.Context, l *lab) Result {
	list, err := l.list()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod, err := l.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if verb, err := l.live(ctx, list, pod); err != nil {
		return l.blame("cni-guard", verb, err)
	}
	l.chainLives = true
	verbs := []string{"ADD", "DEL"}
	if checkable(list) {
		verbs = slices.Insert(verbs, 1, "CHECK")
	}
	return ok("", "%s of %s succeed", strings.Join(verbs, ", "), strings.Join(l.Chain.types(), ", "))
}

func chainLost(ctx context.Context, l *lab) Result {
	if !slices.Contains(l.Chain.types(), "cni-guard") {
		return skipped("cni-guard is not in the chain")
	}
	if !l.chainLives {
		return skipped("no pod of the chain lives here")
	}
	list, err := l.list()
	if err != nil {
		return unclear("", "%v", err)
	}
	pod, err := l.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	if _, err := l.cni.AddNetworkList(ctx, list, pod); err != nil {
		return l.blame("cni-guard", "ADD", err)
	}
	return l.lose(ctx, list, pod)
}
