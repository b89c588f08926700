// SPDX-License-Identifier: Apache-2.0

// Command skel is a CNI plugin that does nothing: what it costs to be one.
package main

import (
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/version"
)

func main() {
	nothing := func(*skel.CmdArgs) error { return nil }
	skel.PluginMainFuncs(skel.CNIFuncs{Add: nothing, Check: nothing, Del: nothing}, version.All, "CNI plugin skel")
}
