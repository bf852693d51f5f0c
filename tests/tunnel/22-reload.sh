#!/bin/sh
# SIGHUP: the new configuration and keys for new connections, the old for open ones, and the old for
# all where the new is not good.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o new >/dev/null
cp k server.key
cp k client.key
target echo echo
next_port
wire=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
start server "$DUET" server -v -k server.key --listen "$wire" --target "$target"
start client "$DUET" client -v -k client.key --listen "$plain" --target "$wire" \
    --handshake-timeout 6 --timeout 6
listening server
listening client
peer trickle "$plain" over >trickle.out &
trickling=$!
soon begun trickle.out

# both change their secret
cp new server.key
kill -HUP "$(pid server)"
soon 'reloaded' server.err
peer be_cut "$plain" >out || bad "the old secret still opens"
cp new client.key
kill -HUP "$(pid client)"
soon 'reloaded' client.err
peer both "$plain" 1 || bad "the new secret"
says "secret $(duet key show new | grep -o '[0-9a-f]\{16\}' | head -1)" server.err

# what is not good changes nothing
echo rubbish >server.key
kill -HUP "$(pid server)"
soon 'not reloaded' server.err
peer both "$plain" 1 || bad "after a reload that failed"
cp new server.key

# reloads NAME: how often it took over a configuration
reloads() {
    grep -c 'reloaded: new' "$1.err"
}

more_reloads() {
    [ "$(reloads "$1")" -gt "$2" ]
}

# reloaded NAME MORE THAN: wait until it has done so more often than that
reloaded() {
    wait_until more_reloads "$1" "$2" || bad "$1 was not reloaded: $(cat "$1.err")"
}

# many in a row, under traffic; signals that come together may be one
servers=$(reloads server)
clients=$(reloads client)
peer both "$plain" 8 4 &
busy=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -HUP "$(pid server)" "$(pid client)"
    sleep 0.02
done
reloaded server $((servers + 1))
reloaded client $((clients + 1))
wait $busy || bad "traffic over reloads"
: >over
wait $trickling || bad "the open one: $(cat trickle.out)"
down
done_testing
