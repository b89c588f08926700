// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// selectBatchCommand selects in many folders: it reads a request from each line
// and writes a selection to each. Conformance compares them with what the
// libraries of the runtimes load.
func selectBatchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "select-batch", Hidden: true, Args: cli.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return selectBatch(cmd.InOrStdin(), cmd.OutOrStdout())
	}
	return cmd
}

// A batchRequest is a folder and a runtime to select in it.
type batchRequest struct {
	Dir            string        `json:"dir"`
	Runtime        conflist.Kind `json:"runtime"`
	MaxConfNum     int           `json:"maxConfNum"`
	DefaultNetwork string        `json:"defaultNetwork"`
	BinDirs        []string      `json:"binDirs"`
}

// A batchAnswer has what Select found, and what Effective said on its own.
type batchAnswer struct {
	Error     string          `json:"error,omitempty"` // the folder cannot be read
	Disabled  string          `json:"disabled,omitempty"`
	Files     []conflist.File `json:"files"`
	Effective string          `json:"effective,omitempty"`
	NoNetwork string          `json:"noNetwork,omitempty"` // the error of Effective
}

func selectBatch(in io.Reader, out io.Writer) error {
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	asked := pluginquery.SupportsFunc(installer.Patience)
	for {
		var r batchRequest
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if err := answers.Encode(r.answer(asked)); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
}

func (r batchRequest) answer(asked func(binary, cniVersion string) error) (a batchAnswer) {
	rt := conflist.Runtime{Kind: r.Runtime, MaxConfNum: r.MaxConfNum, DefaultNetwork: r.DefaultNetwork, BinDirs: r.BinDirs, Supports: asked}
	s, err := conflist.Select(r.Dir, rt)
	if err != nil {
		return batchAnswer{Error: err.Error()}
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
