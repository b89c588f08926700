// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/bundle"
)

// settled asks doctor until its answer is as wanted, or many times.
func settled(r *Rig, wanted func([]bundle.Finding, []string) bool) (findings []bundle.Finding, unknown []string, took time.Duration) {
	for range attempts {
		findings, unknown, took = r.Doctor()
		if wanted(findings, unknown) {
			break
		}
	}
	return findings, unknown, took
}

func silent(findings []bundle.Finding, unknown []string) bool { return len(findings)+len(unknown) == 0 }

// same reports whether two findings are of the same cause. What was counted may differ.
func same(a, b bundle.Finding) bool {
	uncounted := func(problem string) string {
		if a.Check != "table-pressure" {
			return problem
		}
		return regexp.MustCompile(`\d+`).ReplaceAllString(problem, "N")
	}
	return a.ID == b.ID && a.Object == b.Object && uncounted(a.Problem) == uncounted(b.Problem)
}

// Doctor is silent on a healthy node, and its first finding on each broken one is the
// cause. So it is, on another node and without root, in a bundle of the broken one. With
// CNI_GUARD_DOCTOR_TABLE the test writes the table of the documentation there.
func TestFirstFindingIsTheCause(t *testing.T) {
	rows := tableHead + firstFindings(t, Failures())
	if path := os.Getenv("CNI_GUARD_DOCTOR_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(rows), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The same of what needs a kernel of its own, through scripts/in-vm. The table is in the log,
// as the machine is gone with all its files.
func TestFirstFindingInVM(t *testing.T) {
	needVM(t)
	t.Logf("table:\n%s%s", tableHead, firstFindings(t, VMFailures()))
}

func needVM(t *testing.T) {
	if os.Getenv("CNI_GUARD_KERNEL") != "vm" {
		t.Skip("needs ipip, WireGuard and the limits of a whole machine: scripts/in-vm")
	}
}

const tableHead = "| failure | seen in | the first finding of doctor | time | what `ip`, `nft` and `tcpdump` show |\n|---|---|---|---|---|\n"

// firstFindings plays failures, and returns their rows of the table.
func firstFindings(t *testing.T, failures []Failure) string {
	var table strings.Builder
	for _, f := range failures {
		t.Run(strings.ReplaceAll(f.Name, " ", "_"), func(t *testing.T) {
			r := New(t)
			r.Shell(f.Make)
			if f.AWS {
				r.AWS()
			}
			if f.Before {
				if findings, unknown, _ := settled(r, silent); !silent(findings, unknown) {
					t.Errorf("on the healthy node doctor has %v, and could not tell %q", findings, unknown)
				}
			}
			if f.Undo != "" {
				t.Cleanup(func() { r.Shell(f.Undo) })
			}
			r.Shell(f.Break)
			right := func(findings []bundle.Finding, _ []string) bool {
				return len(findings) > 0 && findings[0].Check == f.Check && strings.Contains(findings[0].String()+findings[0].Evidence, f.Says)
			}
			findings, unknown, took := settled(r, right)
			if !right(findings, unknown) {
				t.Errorf("want %s to say %q first, and doctor has %v, and could not tell %q", f.Check, f.Says, findings, unknown)
				return
			}
			t.Logf("%v: %v", took, findings[0])
			isFirst := func(found []bundle.Finding) bool {
				if f.AWS { // which is not asked for a bundle: that has the hint how to ask
					return len(found) > 0 && found[0].ID == findings[0].ID && found[0].Object == findings[0].Object
				}
				return len(found) > 0 && same(found[0], findings[0])
			}
			file := r.Bundle(func(said bundle.Report) bool { return isFirst(said.Findings()) })
			if found, err := r.judge(file); err != nil || !isFirst(found) {
				t.Errorf("first in the bundle is %v, error %v, and on the node %v", found, err, findings[0])
			}
			keep(t, file, f.Name)
			fmt.Fprintf(&table, "| %s | %s | %s | %.1f s | %s |\n", f.Name, f.From, cell(findings[0]), took.Seconds(), f.By)
		})
	}
	return table.String()
}

// keep copies a bundle to the folder that scripts/bundles.sh names, or to the log if that is
// "log": a virtual machine is gone with its files.
func keep(t *testing.T, file, failure string) {
	t.Helper()
	dir := os.Getenv("CNI_GUARD_BUNDLES")
	if dir == "" {
		return
	}
	content, err := os.ReadFile(file)
	name := strings.NewReplacer(" ", "-", "`", "", "'", "", ",", "").Replace(failure) + ".tar.gz"
	switch {
	case err != nil:
	case dir == "log":
		t.Logf("bundle %s %s", name, base64.StdEncoding.EncodeToString(content))
	default:
		err = os.WriteFile(filepath.Join(dir, name), content, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

func cell(f bundle.Finding) string {
	return strings.ReplaceAll(fmt.Sprintf("`%s` %s %s", f.ID, f.Object, f.Problem), "|", "\\|")
}

// Doctor says nothing on a healthy node, however strange, nor of its bundle.
func TestHealthyNodes(t *testing.T) { healthy(t, append(Traps(), Trap{Name: "an ordinary node"})) }

// Nor on one with another tunnel.
func TestHealthyNodesInVM(t *testing.T) {
	needVM(t)
	healthy(t, VMTraps())
}

func healthy(t *testing.T, traps []Trap) {
	for _, trap := range traps {
		t.Run(strings.ReplaceAll(trap.Name, " ", "_"), func(t *testing.T) {
			r := New(t)
			r.Shell(trap.Make)
			if findings, unknown, _ := settled(r, silent); !silent(findings, unknown) {
				t.Errorf("doctor has %v, and could not tell %q", findings, unknown)
				return
			}
			if found, err := r.judge(r.Bundle(func(said bundle.Report) bool { return len(said.Findings()) == 0 })); err != nil || len(found) > 0 {
				t.Errorf("in the bundle are %v, error %v", found, err)
			}
		})
	}
}
