#!/bin/sh
# Sources that are allowed and denied, addresses to dial from, and what becomes of open connections
# whose secret a reload withdraws.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo

# ---- deny and allow ----
server_options='--deny 127.0.0.1/32' client_options='--timeout 1'
up "$target"
peer be_cut "$plain" >out || bad "a denied source is served"
soon 'outcome refused: its source is not allowed' server.err
down
server_options='--allow 127.0.0.0/8 --allow 2001:db8::/32'
up "$target"
peer both "$plain" 1 || bad "an allowed source is refused"
down
server_options='--allow 192.0.2.0/24'
up "$target"
peer be_cut "$plain" >out || bad "a source beside the allowed ones is served"
down
expect 2 'deny.*must be an address' duet server -k k --listen 127.0.0.1:0 --target "$target" --deny here

# ---- The address to dial from ----
server_options='--allow 127.0.0.3' client_options='--bind 127.0.0.3 --timeout 1'
up "$target"
if "$PYTHON" -c 'import socket; socket.socket().bind(("127.0.0.3", 0))' 2>/dev/null; then
    peer both "$plain" 1 || bad "not from the address: $(cat server.err client.err)"
    soon 'from 127.0.0.3:' server.err
else
    without tunnel/34-sources "no 127.0.0.3 here"
fi
down
# not a server's plain targets: only the dial to the other end
expect 2 'bind is for an end that dials the other' duet server -k k --listen 127.0.0.1:0 \
    --target "$target" --bind 127.0.0.3
if "$PYTHON" -c 'import socket; socket.socket().bind(("127.0.0.3", 0))' 2>/dev/null; then
    echo_target=$target
    target visited visited
    next_port
    plain=127.0.0.1:$port
    next_port
    start client "$DUET" client -v -k k --listen "$plain" --await 127.0.0.1:$port --timeout 60
    listening client
    start server "$DUET" server -v -k k --dial 127.0.0.1:$port --target "$target" --bind 127.0.0.3
    peer both "$plain" 1 || bad "a server that dials from an address: $(cat server.err client.err)"
    soon '^from 127.0.0.1$' visited.out
    down
    target=$echo_target
fi
client_options='--bind no-such-if0 --timeout 1'
up "$target"
peer be_cut "$plain" >out || bad "over an interface that is not there"
soon 'outcome unreached' client.err
down

# ---- A secret that is withdrawn ----
duet keygen -o other >/dev/null
client_options=
for withdraw in keep cut; do
    next_port
    wire=127.0.0.1:$port
    printf '[Tunnel t]\nside = server\nlisten = %s\ntarget = %s\nwithdraw = %s\nkey = k\n' \
        "$wire" "$target" $withdraw >conf
    start server "$DUET" run -v -c conf
    next_port
    plain=127.0.0.1:$port
    start client "$DUET" client -v -k k --listen "$plain" --target "$wire"
    listening server
    listening client
    held 2
    sed 's/key = k/key = other/' conf >new && cat new >conf
    kill -HUP "$(pid server)"
    soon 'reloaded: new' server.err
    if [ $withdraw = keep ]; then
        release || bad "a reload cut what was open"
    else
        soon 'outcome cut: a reload withdrew its secret' server.err
        release 2>/dev/null && bad "what was withdrawn goes on"
    fi
    down
done
done_testing
