#!/bin/sh
# Targets and addresses that accept and stay silent, or do not answer at all: the others have their
# own time, and what failed comes last for a while.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo
next_port
silent=127.0.0.1:$port
start silent "$PYTHON" "$peer" silent "$silent"
listening silent
next_port
wire=127.0.0.1:$port
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
listening server
next_port
plain=127.0.0.1:$port

# ---- The first target accepts and hangs ----
start client "$DUET" client -v -k k --timeout 1 --handshake-timeout 1 --listen "$plain" \
    --target "$silent" --target "$wire"
listening client
for _ in 1 2 3 4 5 6; do
    peer both "$plain" 1 || bad "nothing is left for the second target: $(cat client.err)"
done
visits=$(grep -c accepted silent.err)
if [ "$visits" -lt 1 ] || [ "$visits" -gt 4 ]; then
    bad "the silent one was tried $visits times for 6 connections"
fi
stop client

# ---- All are silent: it ends ----
start client "$DUET" client -v -k k --timeout 1 --handshake-timeout 1 --listen "$plain" \
    --target "$silent" --target "$silent"
listening client
peer be_cut "$plain" >out || bad "no cut where all are silent"
soon 'outcome unreached: .*stayed silent' client.err
stop client

# ---- A name with an address that does not answer, and one that does ----
start hole "$PYTHON" "$peer" blackhole "127.0.0.2:${wire#*:}"
wait_until grep_or_ended hole
if [ -z "${NAMES:-}" ] || ! grep -q listening hole.err; then
    without tunnel/29-failover "addresses are not raced here: no fake_names.c, or no 127.0.0.2"
    stop server
    done_testing
    exit
fi
# as NAME COMMAND...: where both.invalid has these two addresses
names() {
    env LD_PRELOAD="$NAMES" NAMES_NAME=both.invalid NAMES_ADDRESS='127.0.0.2 127.0.0.1' \
        ASAN_OPTIONS=verify_asan_link_order=0 "$@"
}
start client env LD_PRELOAD="$NAMES" NAMES_NAME=both.invalid NAMES_ADDRESS='127.0.0.2 127.0.0.1' \
    ASAN_OPTIONS=verify_asan_link_order=0 "$DUET" client -v -k k --timeout 3600 --listen "$plain" \
    --target "both.invalid:${wire#*:}"
listening client
for _ in 1 2 3; do
    peer both "$plain" 1 || bad "one address follows the other: $(cat client.err)"
done
stop client
names timeout 120 "$DUET" ping -k k --timeout 3600 "both.invalid:${wire#*:}" >out 2>err ||
    bad "ping waits for the first address: $(cat err)"
stop server
done_testing
