#!/bin/sh
# doctor-table.sh: breaks nodes as conformance/doctor does, and writes the table of docs/failures.md
# from what guardctl doctor said. It replaces the lines between the markers there. The rows
# of ipip and WireGuard come from a virtual machine, as the kernel here may have neither.
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
files=$work/guard/cni-guard:$work/guard/guardctl:$work/guard/loopback:$work/ref/bridge:$work/ref/host-local:$work/ref/portmap
flags="-deadline 1h -own-time -env CNI_GUARD_BIN -env CNI_PLUGIN_BIN -sysctl net.core.fb_tunnels_only_for_init_net=0 -programs chroot"
for file in $(echo "$files" | tr : ' '); do flags="$flags -file $file"; done
scripts/deps.sh qemu-system-x86_64 wg
root=$PWD
(cd conformance && CNI_GUARD_VM_FLAGS=$flags CNI_GUARD_BIN=$work/guard CNI_PLUGIN_BIN=$work/ref \
	go test -v -count 1 -timeout 24h -exec "$root/scripts/in-vm" -run TestFirstFindingInVM ./doctor) >"$work/vm.log" || { cat "$work/vm.log"; exit 1; }
sed -n 's/^ *\(| .* |\)$/\1/p' "$work/vm.log" >>"$work/table.md"
awk -v table="$work/table.md" '
	/^<!-- doctor-table: begin -->$/ { print; while ((getline line < table) > 0) print line; skip = 1 }
	/^<!-- doctor-table: end -->$/ { skip = 0 }
	!skip || /^<!-- doctor-table: end -->$/ { if (!/^<!-- doctor-table: begin -->$/) print }
' "$page" >"$work/page.md"
grep -q '^<!-- doctor-table: begin -->$' "$page" || { echo "$page has no marker <!-- doctor-table: begin -->" >&2; exit 1; }
cp "$work/page.md" "$page"
