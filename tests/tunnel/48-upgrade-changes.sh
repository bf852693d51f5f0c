#!/bin/sh
# An upgrade with another configuration, with connections that are half-open or wait, of tunnels whose
# server dials, and the end of the process that leaves.
# shellcheck disable=SC2154 # fresh_port sets some variables
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=upgrading.sh
. "$(dirname "$peer")/upgrading.sh"
target echo echo

refuses() {
    ! "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $1)).close()"
}

# ---- What is listened on changes: one address stays, two go, two are new ----
for workers in 1 2; do
    fresh_port wire stays goes comes
    start server "$DUET" server -v -k k --listen "$wire" --target "$target"
    listening server
    # tunnel NAME ADDRESS...
    tunnel() {
        printf '[Tunnel %s]\nside = client\nkey = k\ntarget = %s\n' "$1" "$wire"
        shift
        printf 'listen = %s\n' "$@"
    }
    {
        printf '[Global]\nworkers = %s\n' $workers
        tunnel one "$stays"
        tunnel two "$goes"
        tunnel three "unix:$work/goes"
    } >client.conf
    start client "$DUET" run -v -c client.conf
    listening client
    plain=$stays
    load
    {
        printf '[Global]\nworkers = %s\n' $workers
        tunnel one "$stays"
        tunnel two "$comes"
        tunnel three "unix:$work/comes"
    } >client.conf
    upgrade client 1
    wait_until refuses "${goes##*:}" || bad "it still listens on $goes"
    peer both "$comes" 1 2 || bad "the new address: $(cat client.err)"
    peer both "unix:$work/comes" 1 2 || bad "the new path: $(cat client.err)"
    [ ! -e goes ] || bad "the old path is left"
    unload
    stop_new client
    stop server
    [ ! -e comes ] || bad "the new path is left at the end"
done

# ---- A peer that has connected, and authenticates after the upgrade ----
fresh_port wire between plain
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
start slow "$PYTHON" "$peer" gate "$between" "$wire" go first
start client "$DUET" client -v -k k --listen "$plain" --target "$between"
listening server
listening slow
listening client
peer both "$plain" 1 >half.out 2>&1 &
half=$!
soon '^held' slow.out
upgrade server 1
: >go
wait $half || bad "the one that was half-open: $(cat half.out server.err client.err)"
stop client
kill "$(pid slow)"
stop_new server

# ---- A server that dials, and plain connections that wait for it ----
for workers in 1 2; do # of the server; a client that is dialled has one
    fresh_port await plain
    start client "$DUET" client -v -k k --listen "$plain" --await "$await" --timeout 60
    listening client
    peer both "$plain" 1 >waits.out 2>&1 &
    waits=$!
    kill -USR2 "$(pid client)"
    soon 'upgrade: .* is started' client.err
    start server "$DUET" server -v -k k --dial "$await" --target "$target" --control server.control --workers $workers
    wait $waits || bad "the one that waited: $(cat waits.out client.err)"
    upgraded client 1
    load
    for round in 1 2 3; do
        upgrade server $round
        upgrade client $((round + 1))
    done
    unload
    stop_new client
    stop_new server
done

# ---- SIGTERM to the process that leaves: its limit begins; a second one ends it ----
client_options='--shutdown-timeout 1'
up "$target"
held
first=$(pid client)
upgrade client 1
kill -TERM "$first"
ended client 0
release && bad "the limit was none"
says 'time to drain' client.err
kill -TERM "$(now_pid client)"
rm -f client-new.pid
stop server
client_options=
up "$target"
held
first=$(pid client)
upgrade client 1
# asked_again: signals that come together are one
asked_again() {
    kill -TERM "$first"
    test -s client.code
}
wait_until asked_again
ended client 0
release && bad "it was to end now"
says 'asked to end now' client.err
kill -TERM "$(now_pid client)"
stop server
done_testing
