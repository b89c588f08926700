#!/bin/sh
# prometheus.sh [DIR]: unpacks the Prometheus of this machine's Debian as DIR/prometheus
# (conformance/bin without one), with prometheus and promtool. It is not installed: it
# would start, and listen on this machine.
set -eu
cd "$(dirname "$0")/.."
out=${1:-conformance/bin}
mkdir -p "$out"
out=$(cd "$out" && pwd)
[ ! -x "$out/prometheus/promtool" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 0755 "$work"
echo "unpacking Debian's Prometheus" >&2
fetch() { (cd "$work" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download prometheus >&2); }
fetch || { apt-get update -qq >&2 && fetch; }
dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work" ./usr/bin/prometheus ./usr/bin/promtool
mv "$work/usr/bin" "$work/prometheus"
rm -rf "$out/prometheus"
mv "$work/prometheus" "$out/prometheus"
