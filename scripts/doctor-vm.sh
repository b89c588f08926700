#!/bin/sh
# doctor-vm.sh GUARD REF [RUN]: runs the tests of conformance/doctor that need a kernel of their
# own in a virtual machine: those that RUN names, or all. GUARD and REF are folders of the
# programs and of the reference plugins. CNI_GUARD_VM_KERNEL says which kernel, as for in-vm.
set -eu
[ $# -ge 2 ] || { echo "usage: doctor-vm.sh GUARD REF [RUN]" >&2; exit 2; }
guard=$(cd "$1" && pwd)
ref=$(cd "$2" && pwd)
run=${3:-InVM\$}
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh qemu-system-x86_64 modprobe wg
# -own-time (docs/vm.md): the times that are measured are what doctor took there.
flags="-deadline 1h -own-time -programs chroot -sysctl net.core.fb_tunnels_only_for_init_net=0"
flags="$flags -env CNI_GUARD_BIN -env CNI_PLUGIN_BIN -env CNI_GUARD_BUNDLES"
for file in "$guard/cni-guard" "$guard/guardctl" "$guard/loopback" "$ref/bridge" "$ref/host-local" "$ref/portmap"; do
	flags="$flags -file $file"
done
export CNI_GUARD_BIN="$guard" CNI_PLUGIN_BIN="$ref" CNI_GUARD_VM_FLAGS="$flags" CGO_ENABLED=0
# -timeout: a minute of ours is an hour of theirs.
exec go test -C conformance -v -count 1 -timeout 24h -exec "$PWD/scripts/in-vm" -run "$run" ./doctor
