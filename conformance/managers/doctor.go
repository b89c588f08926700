// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/bundle"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A Finding is one that doctor prints. Command is what it asks the operator to run.
type Finding struct{ Object, Problem, Evidence, Impact, Remedy, Command string }

// Says reports whether the text is in the finding.
func (f Finding) Says(text string) bool {
	return strings.Contains(f.Problem+"; "+f.Evidence+"; "+f.Impact, text)
}

// HoldsLater reports whether what the command does takes a start of the daemon.
func (f Finding) HoldsLater() bool {
	return strings.Contains(f.Remedy, ". It holds from networkd's next start")
}

// Doctor returns what the check finds on the node, and its state.
func (n *Node) Doctor(check string) (state string, findings []Finding) {
	n.t.Helper()
	out, _ := n.command("/opt/cni/bin/guardctl", "doctor", "--conf-dir", runtimeDir+"/conf", "--runtime", "containerd", "-o", "json").Output() // exits with 1 on findings
	var report struct {
		Checks []struct {
			Name     string
			State    string
			Error    string
			Findings []Finding
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		n.t.Fatalf("guardctl doctor: %v\n%s", err, out)
	}
	for _, c := range report.Checks {
		if c.Name == check {
			if c.Error != "" {
				n.t.Errorf("%s could not tell: %s", check, c.Error)
			}
			return c.State, c.Findings
		}
	}
	n.t.Fatalf("guardctl doctor ran no check %s:\n%s", check, out)
	return "", nil
}

// SameInBundle asserts that doctor says of a bundle of the node, elsewhere and without root,
// what it says on the node, and that the check has a finding there about the object.
func (n *Node) SameInBundle(check, object string) {
	n.t.Helper()
	node := bundle.Node{
		Guardctl: filepath.Join(rigtest.GuardDir(n.t), "guardctl"),
		Command:  n.inside("/opt/cni/bin/guardctl"),
		Flags:    []string{"--conf-dir", runtimeDir + "/conf", "--runtime", "containerd"},
	}
	found, err := node.Judge(n.t.Context())
	if err != nil {
		n.t.Error(err)
		return
	}
	for _, f := range found {
		if f.Check == check && f.Object == object {
			return
		}
	}
	n.t.Errorf("in the bundle %s has nothing about %s: %v", check, object, found)
}
