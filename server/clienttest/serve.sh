#!/bin/sh
# serve.sh PROGRAM COMMAND... runs a command against a server of the embedded pair,
# on a free port of this machine, of which it finds the address in OPENAI_BASE_URL.
set -eu
program=$1
shift
log=$(mktemp)
OPENAI_API_KEY=sk-deepprune-client-tests
DEEPPRUNE_API_KEY=$OPENAI_API_KEY
export OPENAI_API_KEY DEEPPRUNE_API_KEY
"$program" serve --host 127.0.0.1 --port 0 2>"$log" &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server || true; rm -f "$log"' EXIT
for _ in $(seq 300); do
	grep -q msg=ready "$log" && break
	kill -0 $server || { cat "$log"; exit 1; }
	sleep 0.1
done
OPENAI_BASE_URL=$(sed -n 's/.*msg=listening url=\([^ ]*\).*/\1/p' "$log")/v1
export OPENAI_BASE_URL
"$@"
