#!/bin/sh
# Everything at once for SECONDS_EACH seconds, thirty at least: streams through plain, shared, reverse
# and multi-worker tunnels, with reloads, kills, cuts of the network and peers without a key. Every byte
# is compared, and nothing may be stuck or grow; mixed.py says how. An hour of it:
#
#   scripts/tunnel --no-asan --seconds 3600 mixed
#
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
needs "${PYTHON:=python3}"
[ "$SECONDS_EACH" -ge 30 ] || SECONDS_EACH=30
DUET=${DUET_ASAN:-$DUET}
export DUET
chmod 700 .
"$PYTHON" "$here/mixed.py" "$SECONDS_EACH" "$DUET_TEST_PORTS" || bad "mixed load"
[ $failures -eq 0 ] || tail -n 5 ./*.log >&2
done_testing
