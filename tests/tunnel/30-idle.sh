#!/bin/sh
# 1,000 idle connections: what each costs the processes, and that each is still there.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
count=${DUET_IDLE_CONNECTIONS:-1000}
target echo echo

# kept NAME: bytes of a process's own memory
kept() {
    awk '/^Private_Dirty/ { kib += $2 } END { print kib * 1024 }' \
        "/proc/$(pid "$1")/smaps_rollup"
}

up "$target"
peer both "$plain" 4 20 || bad "before"
server_before=$(kept server)
client_before=$(kept client)
peer hold "$plain" 3 "$count" >hold.out &
holding=$!
soon held hold.out
sleep 0.5
for name in server client; do
    [ $name = server ] && before=$server_before || before=$client_before
    each=$((($(kept $name) - before) / count))
    echo "$name: $each bytes for each of $count idle connections"
    # A sanitizer's shadow and red zones are not the program's.
    [ $each -lt 4096 ] || grep -q '[at]san' "/proc/$(pid $name)/maps" || bad "$name: $each bytes"
done
wait $holding || bad "not all were alive"
down
done_testing
