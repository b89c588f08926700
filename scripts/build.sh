#!/bin/sh
# build.sh [FOLDER]: builds the three programs, static and stripped, into the
# folder (bin/ without one). VERSION names the build.
set -eu
cd "$(dirname "$0")/.."
out=${1:-bin}
mkdir -p "$out"
export CGO_ENABLED=0
for program in plugins/cni-guard plugins/loopback cmd/guardctl; do
	go build -trimpath -ldflags "-s -w -X main.build=${VERSION:-devel}" -o "$out/" "./$program"
done
