#!/bin/sh
# demo.sh: plays the loss of a sandbox to the node (a reused process ID) in two
# private nodes, without the guard and with it, and shows what becomes of each.
# Runs as root, or as a user who may make user namespaces. Fails unless the run
# without the guard does harm and the run with it does none.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh
if ! scripts/in-node true; then
	echo "no private node can be made: run this as root, or allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu)" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "building cni-guard, loopback and guardctl" >&2
scripts/build.sh "$work/guard"
echo "building the reference plugins (the first time takes half a minute)" >&2
scripts/plugins.sh "$work/ref"
CGO_ENABLED=0 go build -C conformance -o "$work/demo" ./demo

echo "a node without the guard:" >&2
scripts/in-node "$work/demo" play -ref "$work/ref" >"$work/without.json"
echo "a node with the guard:" >&2
scripts/in-node "$work/demo" play -ref "$work/ref" -guard "$work/guard" >"$work/with.json"
echo >&2
"$work/demo" show "$work/without.json" "$work/with.json"
