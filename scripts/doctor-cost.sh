#!/bin/sh
# doctor-cost.sh: measures guardctl doctor on large nodes: 10,000 rules of nft, 20,000 of
# iptables, a set of 100,000 addresses, 5,000 peers that are silent. docs/doctor.md has the
# limits, and what was measured. Let nothing else run meanwhile.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts/build.sh "$work/guard"
scripts/plugins.sh "$work/ref"
root=$PWD
uptime
cd conformance
CNI_GUARD_BIN=$work/guard CNI_PLUGIN_BIN=$work/ref go test -count 1 -timeout 40m -exec "$root/scripts/in-node" -run '^$' -bench . -benchtime 5x ./doctor
