// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A request is a directory and a runtime; selectbatch reads it.
type request struct {
	Dir            string   `json:"dir"`
	Runtime        string   `json:"runtime"`
	MaxConfNum     int      `json:"maxConfNum"`
	DefaultNetwork string   `json:"defaultNetwork,omitempty"`
	BinDirs        []string `json:"binDirs,omitempty"`
}

// A selection is what our code says to it.
type selection struct {
	Error     string
	Disabled  string
	Files     []file
	Effective string // what conflist.Effective says, which reads less
	NoNetwork string
}

type file struct {
	Name, Verdict, Reason, Network, CNIVersion string
	Plugins                                    []string
}

// with gives the files of a verdict.
func (s selection) with(verdicts ...string) []file {
	var files []file
	for _, f := range s.Files {
		for _, v := range verdicts {
			if f.Verdict == v {
				files = append(files, f)
			}
		}
	}
	return files
}

// ours is a selectbatch that answers one request after the other.
type ours struct {
	to   io.Writer
	from *bufio.Reader
}

func startOurs(t *testing.T) *ours {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), rigtest.SelectBatch(t))
	cmd.Stderr = t.Output()
	to, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = to.Close()
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("selectbatch: %v", err)
		}
	})
	return &ours{to, bufio.NewReader(from)}
}

func (o *ours) ask(r request) (s selection, err error) {
	if err := json.NewEncoder(o.to).Encode(r); err != nil {
		return s, err
	}
	line, err := o.from.ReadBytes('\n')
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(line, &s)
}
