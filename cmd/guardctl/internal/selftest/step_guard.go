// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"

	"github.com/containernetworking/cni/libcni"
)

// handsOn shows that nothing of the result of the plugins before the guard gets
// lost in it, not even what it does not know.
func handsOn(ctx context.Context, r *rig) Result {
	guard := r.find("cni-guard")
	if guard == "" {
		return skipped("no cni-guard")
	}
	pod, err := r.pod()
	if err != nil {
		return unclear("", "%v", err)
	}
	conf := guardConf()
	maps.Copy(conf, map[string]any{
		"cniVersion": "1.0.0", "name": "verify",
		"checks":     map[string]any{"pod-address": map[string]any{"policy": "off"}}, // the pod has none
		"prevResult": sample(pod.NetNS),
	})
	stdout, err := r.call(ctx, guard, "ADD", pod, conf)
	if err != nil {
		return failed("No pod would start.", "ADD: %v", err)
	}
	var got, want any
	if err := json.Unmarshal(stdout, &got); err != nil {
		return failed("No pod would start.", "ADD answers no JSON: %v", err)
	}
	if err := remarshal(conf["prevResult"], &want); err != nil {
		return unclear("", "%v", err)
	}
	if !reflect.DeepEqual(got, want) {
		return failed("Pods may be reported with a wrong network.", "ADD answers %s in the place of what it was given", stdout)
	}
	for _, verb := range []string{"CHECK", "DEL"} {
		if _, err := r.call(ctx, guard, verb, pod, conf); err != nil {
			return failed("Pods would not be checked or removed.", "%s: %v", verb, err)
		}
	}
	return ok("The guard changes nothing for a pod that is well.", "ADD answers what it was given; CHECK and DEL succeed")
}

// sample is a result with a key that is of no version of the spec.
func sample(netns string) map[string]any {
	return map[string]any{
		"cniVersion":       "1.0.0",
		"interfaces":       []any{map[string]any{"name": "eth0", "mac": "02:00:00:00:00:01", "sandbox": netns}},
		"ips":              []any{map[string]any{"address": "10.88.0.9/24", "interface": 0}},
		"dns":              map[string]any{"nameservers": []any{"10.88.0.1"}},
		"example.com/kept": "yes",
	}
}

func remarshal(from, to any) error {
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	return err
}

// pods is a network of the guard behind ptp and host-local, where those two are
// installed; else of the guard alone.
func (r *rig) pods(name string) (list *libcni.NetworkConfigList, addresses bool, err error) {
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
