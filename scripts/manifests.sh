#!/bin/sh
# manifests.sh: writes what is made from the chart and for it: the copies of the alert
# rules and of the dashboard that the chart has, and the plain manifests below
# deploy/manifests and a table of docs/cluster.md. A test fails while they are stale.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

mkdir -p deploy/helm/cni-guard/files
cp deploy/alerts/cni-guard.yaml deploy/helm/cni-guard/files/alerts.yaml
cp deploy/grafana/cni-guard.json deploy/helm/cni-guard/files/dashboard.json
go test -C deploy ./charttest -run 'TestManifests|TestPodSecurity' -update
