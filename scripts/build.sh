#!/bin/sh
# build.sh [DIR]: builds the four programs, static and stripped, into the
# directory (bin/ without one). VERSION names the build; git does without it.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

out=${1:-bin}
mkdir -p "$out"
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
export CGO_ENABLED=0
for program in plugins/cni-guard plugins/loopback cmd/guardctl cmd/cni-guard-agent; do
	go build -trimpath -ldflags "-s -w '-X=main.build=$version'" -o "$out/" "./$program"
done
