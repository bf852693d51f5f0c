#!/bin/sh
# Time-outs: a quiet connection, a dead peer, and one that is only slow.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo

client_options='--idle-timeout 1'
up "$target"
peer wait_end "$plain" 10 >out
says 'reset 1' out
soon 'idle time-out' client.err
peer trickle "$plain" 1.5 >out || bad "one that moves"
down

# a peer that is there answers, one that stands still is dead
client_options='--keepalive 0.5'
up "$target"
peer hold "$plain" 2 >/dev/null || bad "a peer that answers"
peer wait_end "$plain" 20 >out &
waiting=$!
sleep 1.5 # so that it has answered once
kill -STOP "$(pid server)"
wait $waiting
kill -CONT "$(pid server)"
says reset out
soon 'answers no more' client.err

# one whose reader is slow stops reading, and lives
target sleeper sleeper
kill -TERM "$(pid server)" && ended server 0
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
listening server
peer patient "$plain" 6 || bad "a slow reader was taken for dead"
down
done_testing
