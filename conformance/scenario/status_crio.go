// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

const (
	// graceless is why other runtimes do not play cni_status_grace_period.
	graceless = "it calls STATUS whenever it is asked for its own status: status-reports"
	// graced is longer than CRI-O needs to report something: it asks every five
	// seconds, the grace period is as long, and may end right after it has asked.
	graced = 30 * time.Second
	// started is longer than CRI-O needs at its start: it asks twice in a second.
	started = 10 * time.Second
)

func onlyPolled() map[string]string {
	return map[string]string{
		"libcni":      graceless,
		"containerd":  statusReports.NotOn["containerd"],
		"containerd2": graceless,
		"podman":      statusReports.NotOn["podman"],
	}
}

var statusOnce = Scenario{
	Name:     "status-at-start",
	Incident: "The node's lo is down when CRI-O starts, and goes down again later; CRI-O calls STATUS until the first success (cni_status_grace_period is 0).",
	Harms:    []claim.Claim{claim.NotReady, claim.LaterReport},
	Limits:   []claim.Claim{claim.LaterReport},
	Limit:    "CRI-O does not call STATUS again; with cni_status_grace_period it does: status-grace-period",
	Holds:    []claim.Claim{claim.NotReady, claim.NodeReady},
	NotOn:    onlyPolled(),
	Setup:    statusReports.Setup,
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := s.Runtime.Kill(); err != nil {
			return err
		}
		if err := node.SetLoDown(s.NodeNamespace()); err != nil {
			return err
		}
		if err := s.Runtime.Start(ctx); err != nil {
			return err
		}
		if err := seeReported(ctx, s, claim.NotReady, started); err != nil {
			return err
		}
		if err := seeReadyAgain(ctx, s); err != nil {
			return err
		}
		if err := node.SetLoDown(s.NodeNamespace()); err != nil {
			return err
		}
		return seeReported(ctx, s, claim.LaterReport, started)
	},
}

var statusGracePeriod = Scenario{
	Name:     "status-grace-period",
	Incident: "As status-reports, on a CRI-O that keeps calling STATUS (cni_status_grace_period is 5s).",
	Harms:    []claim.Claim{claim.NotReady},
	Holds:    []claim.Claim{claim.NotReady, claim.NodeReady},
	NotOn:    onlyPolled(),
	Setup: rig.Setup{
		CNIVersion: statusReports.Setup.CNIVersion,
		Guard:      statusReports.Setup.Guard,
		Settings:   runtimes.Settings{StatusGracePeriod: 5 * time.Second},
	},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := awaitReady(ctx, s); err != nil {
			return err
		}
		if err := node.SetLoDown(s.NodeNamespace()); err != nil {
			return err
		}
		if err := seeReported(ctx, s, claim.NotReady, graced); err != nil {
			return err
		}
		return seeReadyAgain(ctx, s)
	},
}

// seeReported waits as long as the runtime may need to report that lo is down.
func seeReported(ctx context.Context, s *rig.Rig, c claim.Claim, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	said := ""
	err := runtimes.Await(ctx, "the runtime to report the network", func(ctx context.Context) (bool, error) {
		ready, message, err := s.Runtime.Network(ctx)
		said = fmt.Sprintf("ready: %t, message: %q", ready, message)
		return !ready && strings.Contains(message, "host-loopback"), err
	})
	s.See(c, err == nil, said)
	return nil
}

// seeReadyAgain brings lo up and waits until the runtime has noticed.
func seeReadyAgain(ctx context.Context, s *rig.Rig) error {
	if err := node.SetLoUp(s.NodeNamespace()); err != nil {
		return err
	}
	if err := awaitReady(ctx, s); err != nil {
		return err
	}
	return seeNodeReady(ctx, s)
}

func awaitReady(ctx context.Context, s *rig.Rig) error {
	return runtimes.Await(ctx, "the runtime to be ready", func(ctx context.Context) (bool, error) {
		ready, message, err := s.Runtime.Network(ctx)
		if err == nil && !ready {
			err = fmt.Errorf("it says %q", message)
		}
		return ready, err
	})
}
