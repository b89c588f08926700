#!/bin/sh
# check.sh [TARGET]: lint, generated files, and the tests: those of make TARGET, or of
# make test. Generated files must be as `make generate` leaves them.
set -eu
cd "$(dirname "$0")/.."

make lint
make generate
if ! git diff --exit-code -- docs README.md; then
	echo "generated documentation is stale: run make generate and commit the result" >&2
	exit 1
fi
make "${1:-test}"
