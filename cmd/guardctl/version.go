// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"strings"

	"github.com/containernetworking/cni/pkg/version"
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version and the CNI versions that the plugins answer",
		Args:  cli.NoArgs,
	}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cni := version.All.SupportedVersions()
		if output.JSON() {
			return cli.PrintJSON(cmd.OutOrStdout(), map[string]any{
				"version": build, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "cniVersions": cni,
			})
		}
		_, err := printable.Fprintf(cmd.OutOrStdout(), "guardctl %s, %s, %s/%s\nCNI %s\n",
			build, runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(cni, ", "))
		return err
	}
	return cmd
}
