#!/bin/sh
# Timeouts: a quiet connection, a dead peer, and one that is only slow.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo

# A timeout ends a connection that deserves it, and leaves alone one that does not. On a busy machine one
# that does not may still pause for too long: then the same with a longer timeout.

# quiet SECONDS: the idle timeout ends a connection on which nothing moves, not before its time
quiet() {
    client_options="--idle-timeout $1"
    up "$target"
    peer wait_end "$plain" 100 >out
    awk -v least="$1" '$1 == "reset" && $2 >= least - 0.1 { good = 1 } END { exit !good }' out ||
        bad "a quiet connection, timeout $1: $(cat out)"
    soon 'idle timeout' client.err
    peer trickle "$plain" $(($1 + 1)) >out 2>&1
    lives=$?
    down
    return $lives
}
quiet 1 || quiet 4 || quiet 16 || bad "one that moves was ended: $(cat out)"

# answering SECONDS: a peer that answers is not dead, however long nothing else moves
answering() {
    client_options="--keepalive $1"
    up "$target"
    peer hold "$plain" $(($1 * 3)) >out 2>&1
    lives=$?
    return $lives
}
answering 1 || { down && answering 4; } || { down && answering 16; } || bad "a peer that answers: $(cat out)"

# one that stands still is
rm -f out
peer wait_end "$plain" 100 >out &
waiting=$!
soon begun out
sleep $((${client_options#--keepalive } * 2)) # so that it has answered once
kill -STOP "$(pid server)"
wait $waiting
kill -CONT "$(pid server)"
says reset out
soon 'stopped answering' client.err

# one whose reader is slow stops reading, and lives
target sleeper sleeper
kill -TERM "$(pid server)" && ended server 0
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
listening server
peer patient "$plain" 6 || bad "a slow reader was taken for dead"
down
done_testing
