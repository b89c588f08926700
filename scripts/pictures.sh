#!/bin/sh
# pictures.sh: draws the picture of `make demo` in the README.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
out=$(mktemp)
trap 'rm -f "$out"' EXIT
scripts/demo.sh >"$out"
go run -C conformance ./demo picture "make demo" <"$out" >docs/images/demo.svg
