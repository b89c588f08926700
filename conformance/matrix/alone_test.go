// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// The guard alone, as a configuration of its own: the only way to have it in
// versions that know no conflist, and what it is where it stands first.
func TestGuardAlone(t *testing.T) {
	for _, version := range []string{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		t.Run(version, func(t *testing.T) {
			r := rigtest.New(t)
			guard := filepath.Join(rigtest.GuardDir(t), "cni-guard")
			pin, err := node.NewPin("cni-subject")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = pin.Remove() })
			conf := chain.Guard(r.Dir).With("cniVersion", version).With("name", chain.Name)

			added := call(t, guard, "ADD", pin.Path, conf)
			if !added.ok {
				t.Fatalf("ADD: %s", added.stdout)
			}
			want := map[string]any{"cniVersion": version}
			if got, ok := added.decode(t).(map[string]any); !ok || !reflect.DeepEqual(withoutDNS(got), want) {
				t.Errorf("ADD printed %s; want the empty result of %s", added.stdout, version)
			}
			if deleted := call(t, guard, "DEL", pin.Path, conf); !deleted.ok || deleted.stdout != "" {
				t.Errorf("DEL: %+v", deleted)
			}
			if refused := call(t, guard, "ADD", r.Node.Path, conf); refused.ok {
				t.Errorf("ADD to the node: %+v", refused)
			} else if answer, ok := refused.decode(t).(map[string]any); !ok || answer["code"] != 8.0 {
				t.Errorf("ADD to the node printed %s; want code 8", refused.stdout)
			}
		})
	}
}

// withoutDNS drops an empty dns, which the result types of CNI print or not as
// their version has it.
func withoutDNS(result map[string]any) map[string]any {
	if dns, ok := result["dns"].(map[string]any); ok && len(dns) == 0 {
		delete(result, "dns")
	}
	return result
}
