#!/bin/sh
# soak.sh [PODS]: lets 10,000 pods come and go on a private node, many of them
# with a process ID that belongs to another process at the end, and compares the node
# before and after. Some ten minutes; CNI_GUARD_SEED repeats a run.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts/build.sh "$work/guard"
scripts/plugins.sh "$work/ref"

in_node=$PWD/scripts/in-node
cd conformance
CNI_GUARD_SOAK=${1:-10000} CNI_GUARD_BIN=$work/guard CNI_PLUGIN_BIN=$work/ref REQUIRE_ALL=1 \
	go test -v -count 1 -timeout 45m -run '^TestSoak$' -exec "$in_node" ./load
