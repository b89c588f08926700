// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
)

// check answers CHECK: lo must be up.
func check(args *skel.CmdArgs) error {
	if _, err := parseConf(args.StdinData); err != nil {
		return err
	}
	sandbox, err := openSandbox(args)
	if err != nil {
		return err
	}
	lo, err := sandbox.Link("lo")
	if err != nil {
		return err
	}
	if !lo.Up {
		return types.NewError(codeRefused, "loopback: lo of the sandbox "+args.Netns+" is down",
			"Find what set it down in the pod. In the sandbox, ip link set lo up repairs it.")
	}
	return nil
}
