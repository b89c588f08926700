#!/bin/sh
# plugins.sh [OUTDIR]: builds the reference CNI plugins that the conformance
# module pins, static as their releases are, into OUTDIR (conformance/bin/ref).
# A second run with nothing changed takes a second: the go command leaves
# programs alone whose build ID is the one it would write.
set -eu

cd "$(dirname "$0")/.."
. scripts/env.sh
out=${1:-conformance/bin/ref}
mkdir -p "$out"
out=$(cd "$out" && pwd)

cd conformance
# shellcheck disable=SC2046 # one argument for each package
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$out/" \
	$(go list tool | grep '^github.com/containernetworking/plugins/')
