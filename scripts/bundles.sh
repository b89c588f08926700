#!/bin/sh
# bundles.sh FAILURE...: breaks nodes as conformance/doctor does, and keeps their bundles in
# cmd/guardctl/testdata/bundles, from where each later version judges them. FAILURE is part of
# the name of a test of TestFirstFindingIsTheCause, such as an_FDB_entry. Bundles that are there
# stay, as they are those of earlier versions; one of the same name is replaced.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

[ $# -gt 0 ] || { echo "usage: bundles.sh FAILURE..." >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bundles"
scripts/build.sh "$work/guard"
scripts/plugins.sh "$work/ref"
in_node=$PWD/scripts/in-node
for failure; do
	# The host name says nothing of this machine.
	(cd conformance && CNI_GUARD_BUNDLES=$work/bundles CNI_GUARD_BIN=$work/guard CNI_PLUGIN_BIN=$work/ref \
		go test -count 1 -timeout 40m -exec "unshare --uts sh -c 'hostname node-1; exec \"\$@\"' sh $in_node" \
		-run "TestFirstFindingIsTheCause/$failure" ./doctor)
done
CNI_GUARD_BUNDLES=$work/bundles go test -count 1 -run TestOldBundles ./cmd/guardctl
