#!/usr/bin/env bash
# Hooks by which a benchmark drives Slipway: each verb is a request to the
# program in this folder, which PEER_PROGRAM runs and PEER_URL reaches.
set -euo pipefail
ask() { curl -fsS -G -X "$1" "$PEER_URL/$2" "${@:3}"; }
case "$1" in
init)
	"$PEER_PROGRAM" -listen "${PEER_URL#http://}" -folder "$PEER_FOLDER" -app "$W/app/app" >"$PEER_FOLDER/peer.log" 2>&1 &
	for _ in $(seq 600); do
		grep -q '^ready' "$PEER_FOLDER/peer.log" && exit 0
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	cat "$PEER_FOLDER/peer.log" >&2
	exit 1
	;;
filter) echo none=none ;;
create) ask POST create -d "n=$2" -d "image=$3" -d "mode=$4" ;;
update) ask POST update -d "image=$2" -d "mode=$3" ;;
scale) ask POST scale -d "n=$2" ;;
state) ask GET state ;;
rm) ask POST rm ;;
kill) ask POST kill -d "id=$2" ;;
cleanup)
	seen=$(ask GET load 2>/dev/null) || exit 0 # it has ended already
	echo "$seen" >"$PEER_FOLDER/load.txt"
	ask POST cleanup || true
	for _ in $(seq 300); do ask GET state >/dev/null 2>&1 || break; sleep 0.1; done
	;;
esac
