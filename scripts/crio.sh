#!/bin/sh
# crio.sh [DIR]: builds CRI-O and, of its own module, pinns and copyimg, and
# links their directory as DIR/crio (conformance/bin without one).
# Seven minutes on two cores the first time; afterwards nothing, until the
# version below changes. It needs gcc and the headers of libc.
set -eu
version=v1.36.3

cd "$(dirname "$0")/.."
. scripts/env.sh
out=${1:-conformance/bin}
mkdir -p "$out"
out=$(cd "$out" && pwd)
built=$out/crio-$version
if [ ! -x "$built/crio" ]; then
	scripts/deps.sh gcc
	echo "building CRI-O $version (takes some minutes)" >&2
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	# The Go module proxy serves this version, but lists none, so that
	# `go install MODULE@VERSION` refuses it. A copy of its directory can be built:
	# its go.sum vouches for what it needs, the Go checksum database for itself.
	export GOFLAGS="$GOFLAGS -modcacherw"
	module=$(
		mkdir "$work/none" && cd "$work/none"
		go mod init none 2>/dev/null
		go mod download -json "github.com/cri-o/cri-o@$version" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p'
	)
	[ -d "$module" ] || { echo "cannot download CRI-O $version" >&2; exit 1; }
	cp -r "$module" "$work/src"
	chmod -R u+w "$work/src"
	rm -rf "$built.new"
	# With cgo, as its releases are. The tags leave out what needs C libraries:
	# btrfs, device mapper, gpgme, ostree, and libseccomp, for whose sake no
	# container here has a seccomp profile.
	(
		cd "$work/src"
		CGO_ENABLED=1 go build -trimpath -ldflags "-s -w" \
			-tags "containers_image_openpgp containers_image_ostree_stub exclude_graphdriver_btrfs btrfs_noversion exclude_graphdriver_devicemapper" \
			-o "$built.new/" ./cmd/crio ./test/copyimg
		gcc -std=c99 -Os -static -s -o "$built.new/pinns" pinns/src/*.c
	)
	mv "$built.new" "$built"
fi
ln -sfn "crio-$version" "$out/crio"
