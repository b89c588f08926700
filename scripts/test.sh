#!/bin/sh
# test.sh: runs all tests, those that touch interfaces in private nodes. With
# REQUIRE_ALL=1 a test that would skip fails instead.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh strace ssh-keygen
in_node=$PWD/scripts/in-node
if ! "$in_node" true; then
	echo "This kernel allows no private node here (user namespaces are off?); tests that need one skip." >&2
	[ "${REQUIRE_ALL:-}" != 1 ] || exit 1
	in_node="env"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "building the plugins and the reference plugins" >&2
scripts/build.sh "$work/guard"
scripts/plugins.sh "$work/ref"
scripts/managers.sh || [ "${REQUIRE_ALL:-}" != 1 ] # what needs them skips
scripts/prometheus.sh || [ "${REQUIRE_ALL:-}" != 1 ]

# -timeout: a test of minutes takes several times as long on a busy machine.
go test -timeout 40m -exec "$in_node" ./...
for module in scripts/release deploy; do
	(cd "$module" && go test -timeout 40m ./...)
done
cd conformance
CNI_GUARD_PROMETHEUS=$PWD/bin/prometheus CNI_GUARD_BIN=$work/guard CNI_PLUGIN_BIN=$work/ref CNI_GUARD_MANAGERS=$PWD/bin/managers go test -timeout 40m -exec "$in_node" ./...
