#!/bin/sh
# containerd.sh [DIR]: builds containerd 2 and its shim, static, and links
# their directory as DIR/containerd2 (conformance/bin without one).
# A minute the first time; afterwards nothing, until the version below changes.
set -eu
version=v2.4.2

cd "$(dirname "$0")/.."
out=${1:-conformance/bin}
mkdir -p "$out"
out=$(cd "$out" && pwd)
built=$out/containerd-$version
if [ ! -x "$built/containerd" ]; then
	echo "building containerd $version (takes a minute)" >&2
	rm -rf "$built.new"
	# Outside of any module: its dependencies are not ours. The Go checksum
	# database vouches for them.
	(
		cd /
		GOBIN=$built.new GOFLAGS=-modcacherw CGO_ENABLED=0 go install -trimpath \
			-tags "no_btrfs no_zfs no_devmapper" \
			-ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=$version" \
			"github.com/containerd/containerd/v2/cmd/containerd@$version" \
			"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@$version"
	)
	mv "$built.new" "$built"
fi
ln -sfn "containerd-$version" "$out/containerd2"
