#!/bin/sh
# doctor-table.sh [KERNEL]: breaks nodes as conformance/doctor does, and writes the tables of
# docs/failures.md from what guardctl doctor said: one from this machine, and one from a
# virtual machine with Debian's kernel (6.1 if none is said), for what this one may lack. It
# replaces the lines between the markers there. Let nothing else run meanwhile, as the
# tables have times.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh
page=docs/failures.md
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
guard=$work/guard ref=$work/ref
scripts/build.sh "$guard"
scripts/plugins.sh "$ref"
export CNI_GUARD_BIN="$guard" CNI_PLUGIN_BIN="$ref" CGO_ENABLED=0

put() { # put TABLE FILE: replaces the lines between the markers of a table
	grep -q "^<!-- $1: begin -->$" "$page" || { echo "$page has no marker <!-- $1: begin -->" >&2; exit 1; }
	[ "$(wc -l <"$2")" -gt 2 ] || { echo "the run has no rows for $1" >&2; exit 1; }
	awk -v table="$1" -v file="$2" '
		$0 == "<!-- " table ": end -->" { skip = 0 }
		!skip
		$0 == "<!-- " table ": begin -->" { while ((getline line < file) > 0) print line; skip = 1 }
	' "$page" >"$work/page.md"
	cp "$work/page.md" "$page"
}

(cd conformance && CNI_GUARD_DOCTOR_TABLE=$work/here.md \
	go test -count 1 -timeout 40m -exec "$root/scripts/in-node" -run TestFirstFindingIsTheCause ./doctor)
put doctor-table "$work/here.md"

# The files of a guest are gone with it, so that the table is in the log.
CNI_GUARD_VM_KERNEL="${1:-6.1}" scripts/doctor-vm.sh "$guard" "$ref" 'FirstFindingInVM$' >"$work/vm.log" 2>&1 ||
	{ cat "$work/vm.log" >&2; exit 1; }
sed -n 's/^ *\(|.*|\)$/\1/p' "$work/vm.log" >"$work/vm.md"
put doctor-table-vm "$work/vm.md"
