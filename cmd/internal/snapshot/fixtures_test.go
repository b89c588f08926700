// SPDX-License-Identifier: Apache-2.0

package snapshot_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/snapshot"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// pack writes a snapshot and reads it again.
func pack(t *testing.T, s *snapshot.Snapshot) *snapshot.Snapshot {
	t.Helper()
	var bundle bytes.Buffer
	if err := s.Write(&bundle); err != nil {
		t.Fatal(err)
	}
	read, err := snapshot.Read(&bundle)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// judge runs one check, without those that it needs.
func judge(c *checks.Check, t *checks.Target) guard.Outcome {
	alone := *c
	alone.Needs = nil
	no := false
	settings := guard.Settings{Options: t.Options, Checks: map[string]guard.Setting{c.Name: {Policy: guard.Warn, Repair: &no}}}
	return guard.Run(context.Background(), []*checks.Check{&alone}, guard.Node, settings, t).Outcomes[0]
}

// The bundle of each fixture gets the verdict of its node.
func TestFixtures(t *testing.T) {
	verdicts := map[guard.State]int{}
	checktest.EachNode(t, checks.Suite(), "../../../pkg/checks/testdata", func(t *testing.T, c *checks.Check, target *checks.Target) {
		s := snapshot.New()
		s.Record(target)
		want := judge(c, target)
		read := pack(t, s)
		e := node.GuardEntry{}
		e.Settings.Options = target.Options
		for _, dir := range []string{target.Root, target.StateDir, target.Conf.Dir, filepath.Dir(target.Root)} {
			if dir != "" {
				_ = os.RemoveAll(dir) // nothing of the node is there when its bundle is judged
			}
		}
		got := judge(read.Suite([]*checks.Check{c})[0], read.Target(e))
		verdicts[got.State]++
		if got.State != want.State || !reflect.DeepEqual(got.Findings, want.Findings) || textOf(got.Err) != textOf(want.Err) || got.Note != want.Note {
			t.Errorf("the bundle has\n%s: %v, error %v, note %q\nand the node\n%s: %v, error %v, note %q", got.State, got.Findings, got.Err, got.Note, want.State, want.Findings, want.Err, want.Note)
		}
	})
	for _, state := range []guard.State{guard.Passed, guard.Failed, guard.Unknown, guard.Skipped} {
		if verdicts[state] == 0 {
			t.Errorf("no fixture is %s", state)
		}
	}
	t.Logf("%v", verdicts)
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
