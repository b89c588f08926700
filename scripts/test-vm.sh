#!/bin/sh
# test-vm.sh [KERNEL...]: runs what looks at the kernel on kernels of Debian, in
# virtual machines: 6.1 without an argument, which may be 5.10, 6.1 or 6.12. Then, on
# the first of them, what needs modules, the clock or the limits of a machine's own: a
# Service without br_netfilter, an agent while the clock is set, the incident of the cold
# tunnels on real ipip, and doctor on the broken nodes of conformance/doctor that need such.
# A test that skips there is a failure. Logs go to conformance/bin/vm-logs.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
[ $# -gt 0 ] || set -- 6.1

scripts/deps.sh qemu-system-x86_64 modprobe wg
root=$PWD
bin=$root/conformance/bin
logs=$bin/vm-logs
mkdir -p "$logs"
export REQUIRE_ALL=1 CGO_ENABLED=0 CNI_GUARD_KERNELS="${CNI_GUARD_KERNELS:-$bin/kernels}"
failed=

report() { # report NAME LOG STATUS SECONDS: counts what ran, and shows what did not do well
	passed=$(grep -c -e '--- PASS' "$2" || true)
	skipped=$(grep -e '--- SKIP' "$2" || true)
	uname=$(sed -n 's/^vm: kernel \([^,]*\),.*/ on \1/p' "$2" | tail -n 1)
	echo "$1$uname: $passed passed, $(printf %s "$skipped" | grep -c . || true) skipped, in $4 s"
	[ "$3" != 0 ] || [ -n "$skipped" ] || [ "$passed" = 0 ] || return 0
	failed="$failed $1"
	printf '%s\n' "$skipped"
	grep -v -e '^=== ' -e '--- PASS' "$2" | tail -n 60
}

run() { # run NAME DIR ARGUMENTS...: go test in the directory
	name=$1 dir=$2
	shift 2
	log "$name" go test -C "$dir" -v -count 1 "$@"
}

log() { # log NAME COMMAND...
	name=$1
	shift
	status=0
	began=$(date +%s)
	"$@" >"$logs/$name.log" 2>&1 || status=$?
	report "$name" "$logs/$name.log" $status $(($(date +%s) - began))
}

echo "the machine itself" >&2
run vm conformance ./vm

export CNI_GUARD_VM_FLAGS="-deadline 1h" # on a busy machine an emulated one is slow
for kernel; do
	echo "kernel $kernel" >&2
	export CNI_GUARD_VM_KERNEL="$kernel"
	for package in netstate tunnel checks; do
		# What reads files only, a kernel that is made up, or programs of this machine, is
		# left to make test. So is a tun, which needs /dev/net/tun.
		run "$package-$kernel" . -timeout 1h -skip '^Fuzz|^TestConflist|^TestFirewallCommandsHeal$|^TestTunDump$|^TestFixtures$/././fake$' -exec "$root/scripts/in-vm" "./pkg/$package"
	done
done

echo "building the plugins and the reference plugins" >&2
scripts/build.sh "$bin/guard"
scripts/plugins.sh "$bin/ref"
export CNI_GUARD_VM_KERNEL="$1" CNI_GUARD_BIN="$bin/guard" CNI_PLUGIN_BIN="$bin/ref"
flags="-deadline 1h -own-time -env CNI_GUARD_BIN -env CNI_PLUGIN_BIN"
for file in guard/cni-guard guard/guardctl guard/loopback ref/bridge ref/ptp ref/host-local ref/loopback; do
	flags="$flags -file $bin/$file"
done

# -timeout: a minute of ours is an hour of theirs.
echo "a Service without br_netfilter, kernel $1" >&2
export CNI_GUARD_VM_FLAGS="$flags -programs modprobe,depmod"
run bridge-netfilter conformance -timeout 24h -run '^TestServiceWithoutBridgeNetfilter$' -exec "$root/scripts/in-vm" ./replay

echo "a clock that is set, kernel $1" >&2
export CNI_GUARD_VM_FLAGS="-deadline 1h"
run clock . -timeout 1h -run '^TestClockJumps$' -exec "$root/scripts/in-vm" ./cmd/cni-guard-agent

echo "cold tunnels, kernel $1" >&2
export CNI_GUARD_VM_FLAGS="$flags -sysctl net.core.fb_tunnels_only_for_init_net=0"
run tunnels conformance -timeout 24h -exec "$root/scripts/in-vm" ./tunnels
sed -n '/nodes, three times/,/^---/p' "$logs/tunnels.log" | grep -v '^---' || true

echo "doctor on broken nodes, kernel $1" >&2
log doctor scripts/doctor-vm.sh "$bin/guard" "$bin/ref"

[ -z "$failed" ] || { echo "failed:$failed; their logs are in $logs" >&2; exit 1; }
