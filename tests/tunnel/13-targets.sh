#!/bin/sh
# Several targets in order, names, and a peer that comes late.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

target echo echo
dead=127.0.0.1:1
next_port
wire=127.0.0.1:$port
start server "$DUET" server -v -k k --listen "$wire" --target "$dead" \
    --target "localhost:${target#*:}"
listening server
next_port
plain=127.0.0.1:$port
start client "$DUET" client -v -k k --listen "$plain" --target "$dead" --target unix:nobody \
    --target "localhost:${wire#*:}"
listening client
peer both "$plain" 1 4 || bad "the last of several"
down
says "target localhost:${wire#*:}" client.err
says "target localhost:${target#*:}" server.err

# a name that is none
start client "$DUET" client -v -k k --listen "$plain" --target no-such-name.invalid:1 --timeout 1
listening client
peer be_cut "$plain" >out || bad "no cut where the name is none"
soon 'no-such-name.invalid' client.err
stop client

# the server comes while the client tries
start client "$DUET" client -v -k k --listen "$plain" --target "$wire"
listening client
peer both "$plain" 1 2 &
trying=$!
sleep 1
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
wait $trying || bad "a server that came late"
down

# one that accepts and closes at once, as a load balancer without servers does
next_port
start closer "$PYTHON" "$peer" closer "127.0.0.1:$port"
listening closer
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
listening server
start client "$DUET" client -v -k k --listen "$plain" --target "127.0.0.1:$port" --target "$wire"
listening client
peer both "$plain" 1 || bad "after one that closes"
down
done_testing
