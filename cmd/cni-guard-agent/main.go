// SPDX-License-Identifier: Apache-2.0

// Command cni-guard-agent looks after a node between two calls of its container runtime:
// pkg/agent with this node's checks, metrics for Prometheus and reports to Kubernetes.
package main

import (
	"os"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cni-guard/cni-guard/cmd/cni-guard-agent/internal/metrics"
	"github.com/cni-guard/cni-guard/pkg/agent"
)

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	_ = promhttp.HandlerFor(metrics.Registry(metrics.New(build, func() agent.Status { return agent.Status{} }, nil)), promhttp.HandlerOpts{})
	os.Exit(2)
}
