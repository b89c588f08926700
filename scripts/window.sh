#!/bin/sh
# window.sh [FLAGS]: measures how long a rogue file counts before the agent with --keep
# enforce has put it away, and how many pods get it, on containerd 2 and CRI-O, and writes
# the table of docs/agent.md. Some six minutes; on a busy machine the numbers are larger.
set -eu
cd "$(dirname "$0")/.."
exec scripts/conformance.sh window -page ../docs/agent.md "$@"
