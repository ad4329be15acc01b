#!/usr/bin/env bash
# Runs a hook-driven benchmark of container engines (its path is the argument)
# for Docker Swarm and for Slipway, one after the other in one run, in a network
# namespace of its own: nothing of it is seen on the host. Needs root, dockerd,
# curl and Go.
#
#   bash bench/peer/compare.sh path/to/benchmark.sh        REPS=3 ONLY=create,kill,roll,bad,scale,idle
set -euo pipefail
bench=$(realpath "$1")
cd "$(dirname "$0")/../.."
if [ "${ISOLATED:-}" != 1 ]; then
	exec env ISOLATED=1 unshare -n -- bash "$0" "$bench"
fi
ip link set lo up
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PEER_URL=http://127.0.0.1:7099 PEER_FOLDER=$folder PEER_PROGRAM=$folder/peer W=$folder/work
mkdir -p "$W"
go build -o "$folder/peer" ./bench/peer
CGO_ENABLED=0 go build -trimpath -o "$folder/slipway" ./cmd/slipway
peers=${PEERS:-swarm slipway}
for peer in $peers; do
	echo "== $peer"
	if [ "$peer" = slipway ]; then
		env PEER=slipway HOOKS="$PWD/bench/peer/hooks.sh" ENDPOINTS_URL="$PEER_URL/endpoints" KILL_CMD="bash $PWD/bench/peer/hooks.sh kill \$1" \
			DAEMON_MATCH="$folder/slipway" SCALE_TUNED="${SCALE_TUNED:-1}" OUT="$folder/slipway.jsonl" bash "$bench"
		cat "$folder/load.txt"
	else
		env PEER="$peer" OUT="$folder/$peer.jsonl" bash "$bench"
	fi
done
