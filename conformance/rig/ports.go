// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// InstallLinkManager adds chain.LinkManager to the network, before the guard.
func (s *Rig) InstallLinkManager(ctx context.Context) error {
	if err := chain.WriteLinkManager(s.site.Bin); err != nil {
		return err
	}
	return s.Chain(ctx, Behind, append(s.network(), chain.LinkManager())...)
}

// ManageLinks lets the link manager act from now on, and has it take the port of a pod
// that runs.
func (s *Rig) ManageLinks(running runtimes.Pod) error {
	if err := node.AddBridge(s.node.Path, chain.LinkManagerBridge); err != nil {
		return err
	}
	end, err := node.NodeEnd(running.Netns)
	if err != nil {
		return err
	}
	return node.Plug(s.node.Path, end, chain.LinkManagerBridge)
}

// LetPortsAge lets the guard look at the ports of all pods at its next call, as it does
// when it last did so half a minute ago.
func (s *Rig) LetPortsAge() error {
	if !s.Guarded {
		return nil
	}
	then := time.Now().Add(-time.Hour)
	err := os.Chtimes(filepath.Join(guardState, "bridge-port", "looked"), then, then)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("let the look at the ports age: %w", err)
	}
	return nil
}

// SeePort looks whether the pod's port is on the bridge of the pods. Without the guard
// nothing puts it back.
func (s *Rig) SeePort(pod runtimes.Pod) error {
	if !s.Guarded {
		return nil
	}
	end, err := node.NodeEnd(pod.Netns)
	if err != nil {
		return err
	}
	bridge, err := node.Bridge(s.node.Path, end)
	s.See(claim.PortBack, bridge == "cni0", fmt.Sprintf("it is a port of %q", bridge))
	return err
}
