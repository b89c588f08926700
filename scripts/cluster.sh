#!/bin/sh
# cluster.sh [FLAGS]: starts a real Kubernetes in private namespaces of this machine, with
# two nodes, installs cni-guard there by its Helm chart, and plays incidents: an hour. FLAGS are
# those of go test, such as -test.run TestPlays/agent-runs. Needs root; the first run builds
# Kubernetes and CRI-O, which takes 20 minutes. KEEP_IMAGE=1 takes the image of the last run.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

if [ "$(id -u)" != 0 ]; then
	echo "nodes of a cluster need root: run this as root" >&2
	exit 2
fi
scripts/deps.sh containerd runc conmon
bin=$PWD/conformance/bin
scripts/kubernetes.sh "$bin"
scripts/containerd.sh "$bin"
scripts/crio.sh "$bin"
scripts/plugins.sh "$bin/ref"
scripts/prometheus.sh "$bin"
scripts/crds.sh "$bin"
scripts/build.sh "$bin/guard" cmd/guardctl cmd/kubectl-cni_guard
if [ "${KEEP_IMAGE:-}" != 1 ] || [ ! -d "$bin/image" ]; then
	rm -rf "$bin/image"
	# Two versions of the same programs, for upgrades.
	for version in v0.0.1 v0.0.2; do VERSION=$version scripts/release.sh image "$bin/image"; done
fi
CGO_ENABLED=0 go build -C conformance -trimpath -o bin/ ./pause
go test -C conformance -c -o bin/cluster.test ./cluster

# What ends with the namespaces needs no cleanup; control groups and files do, and those
# too of a run that was killed.
clean() { # clean PID
	for _ in 1 2 3 4 5; do # a process that has just ended keeps its group for a moment
		find /sys/fs/cgroup -depth -type d \( -path "*/cni-guard-cluster-$1" -o -path "*/cni-guard-cluster-$1/*" \) -exec rmdir {} + 2>/dev/null || true
		[ -n "$(find /sys/fs/cgroup -maxdepth 2 -name "cni-guard-cluster-$1")" ] || break
		sleep 1
	done
	rm -rf "/tmp/cni-guard-cluster-$1"
}
for left in /tmp/cni-guard-cluster-*; do
	[ ! -d "$left" ] || [ -d "/proc/${left##*-}" ] || clean "${left##*-}"
done
end() {
	trap '' INT TERM
	[ -z "${child:-}" ] || kill -KILL "$child" 2>/dev/null || true
	clean $$
}
trap end EXIT
trap 'exit 130' INT TERM
export TMPDIR=/tmp/cni-guard-cluster-$$ CNI_GUARD_CGROUP=cni-guard-cluster-$$ CNI_GUARD_CLUSTER=$bin
mkdir -m 0755 "$TMPDIR"
cd conformance/cluster
# A script that is killed takes the cluster with it.
setpriv --pdeathsig KILL nice -n 5 ../../scripts/in-node ../bin/cluster.test -test.v -test.timeout 150m "$@" &
child=$!
wait $child
