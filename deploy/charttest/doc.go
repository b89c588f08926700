// SPDX-License-Identifier: Apache-2.0

// Package charttest tests what is deployed: the Helm chart, the manifests rendered from
// it, and the systemd unit. It is a module of its own, as it needs Helm, and one package, as
// Helm takes minutes to compile.
package charttest
