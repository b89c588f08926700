#!/bin/sh
# bench.sh [FLAGS]: compares calls with the reference plugins', from start to exit,
# then runs the benchmarks inside the process; their output is for benchstat.
# -readme README.md puts the table into the README; -rounds N is quicker or steadier.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts/build.sh "$work/guard"
scripts/plugins.sh "$work/ref"
CGO_ENABLED=0 go build -C conformance -trimpath -ldflags "-s -w" -o "$work/" ./bench ./bench/empty ./bench/skel

scripts/in-node "$work/bench" -guard "$work/guard" -ref "$work/ref" -empty "$work" "$@"
size=$(stat -c %s "$work/guard/cni-guard")
echo "cni-guard is $((size / 1000)) KB; the budget is 4500 KB"
[ "$size" -le 4500000 ]
echo
go test -exec "$PWD/scripts/in-node" -run '^$' -bench . -benchmem ./pkg/...
