// SPDX-License-Identifier: Apache-2.0

// Package monitoring tests the alert rules and the dashboard of deploy/ with a real
// Prometheus, which scripts/prometheus.sh unpacks.
package monitoring
