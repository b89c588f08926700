#!/bin/sh
# crds.sh [DIR]: copies the definitions of PodMonitor and PrometheusRule to DIR/crds
# (conformance/bin without one), from the Go module of the Prometheus operator.
set -eu
version=v0.85.0

cd "$(dirname "$0")/.."
. scripts/env.sh
out=${1:-conformance/bin}/crds
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source=$(
	cd "$work"
	go mod init none 2>/dev/null
	go mod download -modcacherw -json "github.com/prometheus-operator/prometheus-operator@$version" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p'
)
[ -d "$source" ] || { echo "cannot download the Prometheus operator $version" >&2; exit 1; }
for name in podmonitors prometheusrules; do
	cp "$source/example/prometheus-operator-crd/monitoring.coreos.com_$name.yaml" "$out/$name.yaml"
done
