#!/bin/sh
# demo.sh [INCIDENT]: plays incidents of pod networks on private nodes, without
# cni-guard and with it, and compares the results: all incidents in a table, or
# one in detail. Runs as root, or as a user who may create user namespaces. Fails
# unless the runs without cni-guard do damage and those with it do none.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh
if ! scripts/in-node true; then
	echo "cannot create a private node: run this as root, or allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu)" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "building cni-guard, loopback and guardctl" >&2
scripts/build.sh "$work/guard"
echo "building the reference plugins (the first time takes half a minute)" >&2
scripts/plugins.sh "$work/ref"
CGO_ENABLED=0 go build -C conformance -o "$work/demo" ./demo

mkdir "$work/runs"
for incident in ${1:-$("$work/demo" list)}; do
	echo "playing $incident" >&2
	scripts/in-node "$work/demo" play -ref "$work/ref" -guardctl "$work/guard/guardctl" "$incident" >"$work/runs/$incident.without.json"
	scripts/in-node "$work/demo" play -ref "$work/ref" -guard "$work/guard" -guardctl "$work/guard/guardctl" "$incident" >"$work/runs/$incident.with.json"
done
echo >&2
"$work/demo" show ${1:+-detail} "$work/runs"
