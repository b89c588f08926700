#!/bin/sh
# lint.sh: gofmt, go vet, staticcheck and the tidiness of both modules.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

unformatted=$(gofmt -l cmd pkg plugins conformance)
if [ -n "$unformatted" ]; then
	echo "not gofmt-ed:" "$unformatted" >&2
	exit 1
fi
staticcheck=$(mktemp -d)
trap 'rm -rf "$staticcheck"' EXIT
go build -C conformance -o "$staticcheck/" honnef.co/go/tools/cmd/staticcheck
for module in . conformance; do
	(
		cd "$module"
		go vet ./...
		"$staticcheck/staticcheck" -checks all,-ST1000 ./...
		go mod tidy -diff
	)
done
