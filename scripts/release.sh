#!/bin/sh
# release.sh image|all [DIR]: builds the programs for amd64 and arm64 and packs them into
# the directory (dist/ without one): the OCI image, or everything that a release
# publishes. VERSION names the build, or git does by the last tag; SOURCE_DATE_EPOCH is the
# time of every file, that of the last commit without it. The same commit always makes the
# same bytes. RELEASE_KEY, if it is set, is the SSH key that signs the checksums of a release.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

what=$1
out=${2:-dist}
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export VERSION
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

set -- plugins/cni-guard plugins/loopback cmd/guardctl cmd/cni-guard-agent
[ "$what" = image ] || set -- "$@" cmd/kubectl-cni_guard
for arch in amd64 arm64; do
	echo "building $VERSION for $arch" >&2
	# GOAMD64 and GOARM64 of the caller would make other programs.
	GOOS=linux GOARCH=$arch GOAMD64=v1 GOARM64=v8.0 scripts/build.sh "$work/$arch" "$@"
done
go build -C scripts/release -o "$work/release" .
"$work/release" -version "$VERSION" -epoch "$SOURCE_DATE_EPOCH" -programs "$work" -o "$out" "$what"
if [ "$what" = all ]; then
	rm -f "$out/SHA256SUMS.sig" # of an earlier build
	[ -z "${RELEASE_KEY:-}" ] || scripts/sign.sh "$RELEASE_KEY" "$out"
fi

image=$(ls "$out/cni-guard-$VERSION-image.tar")
size=$(wc -c <"$image")
echo "$image: $size bytes" >&2
if [ "$size" -gt 40000000 ]; then
	echo "the image of both architectures is larger than 40 MB" >&2
	exit 1
fi
