#!/bin/sh
# lint.sh: gofmt, go vet, staticcheck and the tidiness of every module.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

unformatted=$(gofmt -l cmd pkg plugins conformance scripts deploy)
if [ -n "$unformatted" ]; then
	echo "not gofmt-ed:" "$unformatted" >&2
	exit 1
fi
staticcheck=$(mktemp -d)
trap 'rm -rf "$staticcheck"' EXIT
go build -C conformance -o "$staticcheck/" honnef.co/go/tools/cmd/staticcheck
for module in . conformance scripts/release deploy; do
	(
		cd "$module"
		go vet ./...
		# deploy has tests only, which need all of Helm: minutes of analysis for nothing.
		[ "$module" = deploy ] || "$staticcheck/staticcheck" -checks all,-ST1000 ./...
		go mod tidy -diff
	)
done
