#!/bin/sh
# Limits that are reached are told: in the log once, in the metrics, in `duet ctl status` and health;
# and connections that prove nothing cannot fill the log.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
chmod 700 .
target echo echo

# flood COUNT ADDRESS: connects so often, and closes
flood() {
    "$PYTHON" - "$1" "${2#*:}" <<'END'
import socket, sys
keep = [socket.create_connection(("127.0.0.1", int(sys.argv[2]))) for _ in range(3)]
for _ in range(int(sys.argv[1])):
    socket.create_connection(("127.0.0.1", int(sys.argv[2]))).close()
END
}

# refused COUNT: so many are counted at the server
refused() {
    duet ctl --control s metrics >out
    grep -q "^duet_connections_refused_total{tunnel=\"server\"} $1\$" out
}

# ---- max-connections of a client ----
next_port
wire=127.0.0.1:$port
server_options='--control s --max-from-source 3' client_options='--control c --max-connections 2'
next_port
plain=127.0.0.1:$port
# shellcheck disable=SC2086
start server "$DUET" server -v -k k --listen $wire --target "$target" $server_options
# shellcheck disable=SC2086
start client "$DUET" client -v -k k --listen $plain --target "$wire" $client_options
listening server
listening client
held 2
expect 0 '' duet ctl --control c health
says '^serving$' out
says '^limited: the tunnel client has reached max-connections$' out
duet ctl --control c --json status >out
says '"limited":\["max-connections"\]' out
says 'client: the limit max-connections = 2 is reached' client.err
duet ctl --control c metrics >out
says '^duet_limit_reached_total{tunnel="client",limit="max-connections"} [1-9]' out
release || bad "those that were open"
lasts() {
    duet ctl --control c health | grep -q limited
}
gone() {
    ! lasts
}
wait_until gone || bad "the limit stays: $(duet ctl --control c health)"
stop client

# ---- One source, without a key ----
flood 400 "$wire"
wait_until refused 400 || bad "not refused: $(cat out)"
duet ctl --control s health >out
says '^limited: the tunnel server has reached max-from-source$' out
[ "$(wc -l <server.err)" -lt 60 ] || bad "$(wc -l <server.err) lines for 400 connections"
says 'server: the limit max-from-source = 3 is reached' server.err
stop server
says '[1-9][0-9]* more connections that had not authenticated were not logged' server.err

# ---- One secret of two ----
duet keygen -o other >/dev/null
next_port
wire=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
next_port
elsewhere=127.0.0.1:$port
start server "$DUET" server -v -k k -k other --listen $wire --target "$target" --control s \
    --max-from-secret 2
start client "$DUET" client -v -k k --listen $plain --target "$wire"
start second "$DUET" client -v -k other --listen $elsewhere --target "$wire"
listening server
listening client
listening second
held 2
peer be_cut $plain >out || bad "a third connection of one secret was served"
says 'server: the limit max-from-secret = 2 is reached: further' server.err
soon 'outcome refused.*its secret has max-from-secret connections' server.err
id=$(duet key show k | grep -o '[0-9a-f]\{16\}' | head -1)
grep 'outcome refused' server.err >line
says "secret $id" line
expect 0 '' duet ctl --control s health
says '^limited: the tunnel server has reached max-from-secret$' out
duet ctl --control s metrics >out
says '^duet_limit_reached_total{tunnel="server",limit="max-from-secret"} 1$' out
peer both $elsewhere 1 || bad "the other secret is held back too"
kill -HUP "$(pid server)" # what is open stays counted
soon 'reloaded: new' server.err
peer be_cut $plain >out || bad "a reload forgot the open connections"
release || bad "those that were open"
free_again() {
    peer both $plain 1
}
wait_until free_again || bad "none is served once they have ended: $(cat server.err)"
stop client
stop second
stop server
cat >conf <<END
[Tunnel a]
side = client
listen = 127.0.0.1:1
target = 127.0.0.1:2
key = k
max-from-secret = 1
END
expect 2 'max-from-secret is for a server that listens' duet run --check -c conf
done_testing
