#!/bin/bash
# agent-cost.sh [SECONDS]: measures what the agent costs, in a private node: idle with 5,000
# routes, while 100 veths a second come and go, and the time from "lo down" to "lo up". It
# prints the numbers and judges none of them. SECONDS (60) is for each part.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
seconds=${1:-60}
if [ "${CNI_GUARD_NODE:-}" != private ]; then
	AGENT_BIN=$(mktemp -d)
	export AGENT_BIN
	trap 'rm -rf "$AGENT_BIN"' EXIT
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$AGENT_BIN/" ./cmd/cni-guard-agent ./cmd/guardctl
	scripts/in-node "$0" "$seconds"
	exit
fi

node=$(mktemp -d)
trap 'kill $agent 2>/dev/null || true; rm -rf "$node"' EXIT
mkdir "$node/conf" "$node/bin" "$node/record"
echo '{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"bridge","bridge":"br0"}]}' >"$node/conf/10-net.conflist"
ip link add br0 type bridge
ip link set br0 up
ip address add 10.0.0.1/8 dev br0
ip -batch - < <(for i in $(seq 0 4999); do echo "route add 10.$((100 + i / 250)).$((i % 250)).0/24 via 10.0.0.2"; done)

# A higher priority keeps what else the machine does out of the time to lo up; the CPU time
# is the agent's own all the same.
GOMEMLIMIT=${GOMEMLIMIT:-} nice -n -5 "$AGENT_BIN/cni-guard-agent" --profile repair --runtime containerd --conf-dir "$node/conf" --bin-dir "$node/bin" \
	--record-dir "$node/record" --kubernetes off --metrics-address 127.0.0.1:9464 2>"$node/log" &
agent=$!
until "$AGENT_BIN/guardctl" status >"$node/status" 2>&1 || [ $? = 1 ]; do sleep 0.1; done

# ticks: CPU time of the agent and the programs it started, in clock ticks of 10 ms.
ticks() { awk '{ print $14 + $15 + $16 + $17 }' "/proc/$agent/stat"; }
report() { # report WHAT SECONDS TICKS
	awk -v what="$1" -v s="$2" -v t="$3" 'BEGIN { printf "%-28s %.2f %% of a core (%.1f mCPU)\n", what, t / s, 10 * t / s }'
}
idle() {
	local before
	before=$(ticks)
	sleep "$seconds"
	report "$1" "$seconds" $(($(ticks) - before))
	awk '/VmRSS|RssAnon/ { printf "%-28s %.1f MB\n", $1, $2 / 1024 }' "/proc/$agent/status"
	"$AGENT_BIN/guardctl" status | grep "full looks" || true
}
sleep 5
idle "idle, 5000 routes"

# Ten are deleted at once, as the kernel does with the namespaces of pods: a deletion waits
# for a grace period of RCU, so that fewer than 100 a second come one by one.
before=$(ticks)
began=$EPOCHREALTIME
for i in $(seq $((seconds * 10))); do
	for n in 0 1 2 3 4 5 6 7 8 9; do
		echo "link add v$n group 7 type veth peer name w$n"
		echo "link set v$n master br0 up"
	done
	echo "link delete group 7"
	sleep "$(awk -v began="$began" -v i="$i" -v now="$EPOCHREALTIME" 'BEGIN { d = began + i / 10 - now; print (d > 0 ? d : 0) }')"
done | ip -batch -
took=$(awk -v began="$began" -v now="$EPOCHREALTIME" 'BEGIN { print now - began }')
report "veths: $(awk -v s="$took" -v n=$((seconds * 100)) 'BEGIN { printf "%.0f/s", n / s }')" "$took" $(($(ticks) - before))

for i in $(seq 50); do
	ip link set lo down
	began=$EPOCHREALTIME
	until (($(</sys/class/net/lo/flags) & 1)); do :; done
	awk -v began="$began" -v now="$EPOCHREALTIME" 'BEGIN { print 1000 * (now - began) }'
	sleep 0.05
done | sort -n | awk '{ a[NR] = $1 } END { printf "%-28s median %.1f ms, most %.1f ms\n", "lo down to up", a[int((NR + 1) / 2)], a[NR] }'
"$AGENT_BIN/guardctl" status | head -6 || true
