#!/bin/sh
# doctor-table.sh: breaks nodes as conformance/doctor does, and writes the table of docs/failures.md
# from what guardctl doctor said. It replaces the lines between the markers there.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

page=docs/failures.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts/build.sh "$work/guard"
scripts/plugins.sh "$work/ref"
in_node=$PWD/scripts/in-node
(cd conformance && CNI_GUARD_DOCTOR_TABLE=$work/table.md CNI_GUARD_BIN=$work/guard CNI_PLUGIN_BIN=$work/ref \
	go test -count 1 -timeout 40m -exec "$in_node" -run TestFirstFindingIsTheCause ./doctor)
awk -v table="$work/table.md" '
	/^<!-- doctor-table: begin -->$/ { print; while ((getline line < table) > 0) print line; skip = 1 }
	/^<!-- doctor-table: end -->$/ { skip = 0 }
	!skip || /^<!-- doctor-table: end -->$/ { if (!/^<!-- doctor-table: begin -->$/) print }
' "$page" >"$work/page.md"
grep -q '^<!-- doctor-table: begin -->$' "$page" || { echo "$page has no marker <!-- doctor-table: begin -->" >&2; exit 1; }
cp "$work/page.md" "$page"
