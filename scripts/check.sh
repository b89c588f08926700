#!/bin/sh
# check.sh: what CI runs. Generated files must be as `make generate` leaves them.
set -eu
cd "$(dirname "$0")/.."

make lint
make generate
if ! git diff --exit-code -- docs; then
	echo "generated documentation is stale: run make generate and commit the result" >&2
	exit 1
fi
make test
