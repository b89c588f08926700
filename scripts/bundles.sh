#!/bin/sh
# bundles.sh FAILURE...: breaks nodes as conformance/doctor does, and keeps their bundles in
# cmd/guardctl/testdata/bundles, from where each later version judges them. FAILURE is part of
# the name of a test of TestFirstFindingIsTheCause, such as an_FDB_entry, or, after vm:, of
# TestFirstFindingInVM, such as vm:the_tunnel_is_cold. Bundles that are there stay, as they are
# those of earlier versions; one of the same name is replaced.
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
	if [ "$failure" != "${failure#vm:}" ]; then
		CNI_GUARD_BUNDLES=log scripts/doctor-vm.sh "$work/guard" "$work/ref" "TestFirstFindingInVM/${failure#vm:}" >"$work/log" 2>&1 ||
			{ cat "$work/log" >&2; exit 1; }
		sed -n 's/^.*: bundle \([^ ]*\.tar\.gz\) \([^ ]*\)$/\1 \2/p' "$work/log" | while read -r name content; do
			printf %s "$content" | base64 -d >"$work/bundles/$name"
		done
		continue
	fi
	# The host name says nothing of this machine.
	(cd conformance && CNI_GUARD_BUNDLES=$work/bundles CNI_GUARD_BIN=$work/guard CNI_PLUGIN_BIN=$work/ref \
		go test -count 1 -timeout 40m -exec "unshare --uts sh -c 'hostname node-1; exec \"\$@\"' sh $in_node" \
		-run "TestFirstFindingIsTheCause/$failure" ./doctor)
done
CNI_GUARD_BUNDLES=$work/bundles go test -count 1 -run TestOldBundles ./cmd/guardctl
