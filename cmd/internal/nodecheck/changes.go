// SPDX-License-Identifier: Apache-2.0

package nodecheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/confdiff"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// confChanges returns how the conf dir differs from the installation record: what guardctl
// conf diff prints. The error is guard.Skip's if there is no record.
func confChanges(ctx context.Context, n *node.Node) ([]guard.Finding, error) {
	record, err := installer.ReadRecord(n.RecordDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, guard.Skip("there is no installation record to compare with in " + n.RecordDir)
	}
	if err != nil {
		return nil, err
	}
	recorded := *n
	if err := recorded.FindRecorded(ctx, record); err != nil {
		return nil, err
	}
	c, err := confdiff.Compare(recorded.Site, record)
	if err != nil {
		return nil, err
	}
	command := "guardctl conf diff" + n.Given()
	since := "; installed " + c.Since.UTC().Format(time.DateTime) + " UTC"
	var findings []guard.Finding
	if c.Then != c.Effective {
		f := guard.Finding{
			Object: assess.QuoteName(c.Dir), Problem: fmt.Sprintf("has another selected file than at the installation: %s -> %s", orNothing(c.Then), orNothing(c.Effective)),
			Evidence: "the selection by the rules of " + c.Title + since, Impact: "new pods get the network of another file, or none", Command: command,
		}
		findings = append(findings, f)
	}
	for _, group := range []struct {
		what  string
		names []string
	}{{"was added", c.Added}, {"was removed", c.Removed}, {"was changed", c.Changed}, {"was put into quarantine", c.Quarantined}} {
		for _, name := range group.names {
			path := filepath.Join(c.Dir, name)
			findings = append(findings, guard.Finding{
				Object: assess.QuoteName(path), Problem: group.what + " since the guard was installed", Minor: true,
				Evidence: strings.TrimPrefix(modified(path)+since, "; "), Command: command,
			})
		}
	}
	return findings, nil
}

func orNothing(name string) string {
	if name == "" {
		return "nothing"
	}
	return assess.QuoteName(name)
}

// modified says when a file was last modified; "" if it is not there.
func modified(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return "last modified " + info.ModTime().UTC().Format(time.DateTime) + " UTC"
}
