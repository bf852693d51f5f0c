#!/bin/sh
# 1,000 idle connections: what each makes the processes allocate, and that each is still there.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
count=${DUET_IDLE_CONNECTIONS:-1000}
target echo echo

# allocated NAME: bytes that a process holds now, counted by heap_preload.c
allocated() {
    od -An -td8 -N8 "$1.heap" | tr -d ' '
}

next_port
wire=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
preload=''
[ -z "${HEAP_PRELOAD:-}" ] || preload="LD_PRELOAD=$HEAP_PRELOAD"
start server env ${preload:+"$preload"} HEAP_FILE=server.heap "$DUET" server -v -k k --listen "$wire" --target "$target"
start client env ${preload:+"$preload"} HEAP_FILE=client.heap "$DUET" client -v -k k --listen "$plain" --target "$wire"
listening server
listening client
peer both "$plain" 4 20 || bad "before"
if [ -n "$preload" ]; then
    server_before=$(allocated server)
    client_before=$(allocated client)
    held "$count"
    for name in server client; do
        [ $name = server ] && before=$server_before || before=$client_before
        each=$((($(allocated $name) - before) / count))
        echo "$name: $each bytes for each of $count idle connections"
        [ $each -gt 500 ] && [ $each -lt 2400 ] || bad "$name: $each bytes for a connection"
    done
else
    held "$count"
    without "what a connection allocates" "nothing counts it in this build"
fi
release || bad "not all were alive"
down
done_testing
