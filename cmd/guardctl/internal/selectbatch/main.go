// SPDX-License-Identifier: Apache-2.0

// Command selectbatch selects network configurations in many directories, for tests: it
// reads a request from each line of standard input and writes a selection for each.
// Conformance compares them with what the libraries of the runtimes load. It is not part
// of a release.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A request is a directory, and a runtime that selects in it.
type request struct {
	Dir            string        `json:"dir"`
	Runtime        conflist.Kind `json:"runtime"`
	MaxConfNum     int           `json:"maxConfNum"`
	DefaultNetwork string        `json:"defaultNetwork"`
	BinDirs        []string      `json:"binDirs"`
}

// An answer is the result of Select, and that of Effective, which reads less.
type answer struct {
	Error     string          `json:"error,omitempty"` // the directory cannot be read
	Disabled  string          `json:"disabled,omitempty"`
	Files     []conflist.File `json:"files"`
	Effective string          `json:"effective,omitempty"`
	NoNetwork string          `json:"noNetwork,omitempty"` // the error of Effective
}

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "selectbatch:", err)
		os.Exit(1)
	}
}

// serve answers requests until the end of in.
func serve(in io.Reader, out io.Writer) error {
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	supports := new(pluginquery.Cache).SupportsFunc(installer.StartTimeout)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if err := answers.Encode(r.answer(supports)); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
}

func (r request) answer(supports func(binary, cniVersion string) error) (a answer) {
	rt := conflist.Runtime{Kind: r.Runtime, MaxConfNum: r.MaxConfNum, DefaultNetwork: r.DefaultNetwork, BinDirs: r.BinDirs, Supports: supports}
	s, err := conflist.Select(r.Dir, rt)
	if err != nil {
		return answer{Error: err.Error()}
	}
	if s.Err != nil {
		a.Disabled = s.Err.Error()
	}
	a.Files = s.Files
	f, err := conflist.Effective(r.Dir, rt)
	if err != nil {
		a.NoNetwork = err.Error()
	}
	a.Effective = f.Name
	return a
}
