// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// SetSysctl writes a file below /proc/sys of the node.
func (s *Rig) SetSysctl(name, value string) error {
	return node.Within(s.node.Path, func() error {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
			return fmt.Errorf("set sysctl: %w", err)
		}
		return nil
	})
}

// SeeBeyond has a process in the pod connect to a machine beyond the node.
func (s *Rig) SeeBeyond(ctx context.Context, pod runtimes.Pod) error {
	return s.seeBeyond(ctx, claim.Beyond, pod)
}

// SeeStillBeyond does the same for a pod that ran before.
func (s *Rig) SeeStillBeyond(ctx context.Context, pod runtimes.Pod) error {
	return s.seeBeyond(ctx, claim.StillBeyond, pod)
}

func (s *Rig) seeBeyond(ctx context.Context, c claim.Claim, pod runtimes.Pod) error {
	if s.outside == "" {
		path, err := s.node.PlugOutside()
		if err != nil {
			return err
		}
		s.outside = path
	}
	server, err := node.Serve(ctx, s.outside, net.JoinHostPort(node.Outside, "0"))
	if err != nil {
		return err
	}
	defer server.Close()
	err = node.Reach(ctx, pod.Netns, server.Addr().String(), s.patience())
	s.See(c, err == nil, fmt.Sprint(err))
	return nil
}

// serviceAddress is the address of the Service that SeeService makes.
const serviceAddress = "10.96.0.10:80"

// SeeService makes a Service of one pod, as kube-proxy does with iptables, and has a
// process in the other pod connect to it.
func (s *Rig) SeeService(ctx context.Context, client, backend runtimes.Pod) error {
	server, err := node.Serve(ctx, backend.Netns, net.JoinHostPort(backend.Address, "8080"))
	if err != nil {
		return err
	}
	defer server.Close()
	if err := s.iptables(ctx, "-A", "KUBE-SERVICES", "-d", "10.96.0.10/32", "-p", "tcp", "--dport", "80", "-j", "DNAT", "--to-destination", server.Addr().String()); err != nil {
		return err
	}
	err = node.Reach(ctx, client.Netns, serviceAddress, s.patience())
	s.See(claim.ServiceAnswers, err == nil, fmt.Sprint(err))
	return nil
}

// AddServiceRules gives the node the chain that kube-proxy has for Services.
func (s *Rig) AddServiceRules(ctx context.Context) error {
	if err := s.iptables(ctx, "-N", "KUBE-SERVICES"); err != nil {
		return err
	}
	return s.iptables(ctx, "-A", "PREROUTING", "-j", "KUBE-SERVICES")
}

func (s *Rig) iptables(ctx context.Context, args ...string) error {
	return node.Within(s.node.Path, func() error {
		out, err := exec.CommandContext(ctx, "iptables", append([]string{"-w", "-t", "nat"}, args...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("iptables %q: %w: %s", args, err, out)
		}
		return nil
	})
}

// patience is how long a connection is waited for: with the guard it must come about,
// however busy the machine is; without it cannot.
func (s *Rig) patience() time.Duration {
	if s.Guarded {
		return time.Minute
	}
	return 3 * time.Second
}
