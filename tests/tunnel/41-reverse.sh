#!/bin/sh
# A server that dials: its connections wait at the client's end and each serves one plain connection;
# the pool grows with use, finds its way back after a cut, serves several relays, and goes with limits,
# PROXY headers, ctl and reloads.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
services=$(dirname "$peer")/services.py

meet() {
    timeout 300 "$PYTHON" "$services" meet "$plain"
}

# relay NAME [OPTION...]: a client that waits for servers; $plain is its plain address, $await the other
relay() {
    relay=$1
    shift
    next_port
    plain=127.0.0.1:$port
    next_port
    await=127.0.0.1:$port
    start "$relay" "$DUET" client -v -k k --listen "$plain" --await "$await" --control "$relay.control" "$@"
    listening "$relay"
}

# states NAME STATE: how many sessions of a service are in that state
states() {
    duet ctl --control "$1.control" sessions --json | grep -c "\"state\": *\"$2\"" || :
}

wait_states() {
    wait_until test_states "$@" || bad "$1 has $(states "$1" "$2") connections $2, not $3"
}

test_states() {
    [ "$(states "$1" "$2")" -eq "$3" ]
}

next_port
target=127.0.0.1:$port
start named "$PYTHON" "$services" named "$target" inside
listening named

# a plain connection that comes first waits for a server
relay one --timeout 60
meet >early.out 2>&1 & early=$!
wait_states one queued 1
start server "$DUET" server -v -k k --dial "$await" --target "$target" --control server.control --pool-max 8
wait $early || bad "the one that waited: $(cat early.out one.err)"
says inside early.out
for turn in 1 2 3; do
    [ "$(meet)" = inside ] || bad "turn $turn: $(cat one.err server.err)"
done
wait_states server waiting 2
wait_states one waiting 2

# many at once: the pool grows, and not beyond its bound
: >hold.pids
for turn in 1 2 3 4 5 6 7 8 9 10 11 12; do
    timeout 300 "$PYTHON" "$services" stay "$plain" released >"hold.$turn" 2>&1 &
    echo $! >>hold.pids
done
for turn in 1 2 3 4 5 6 7 8 9 10 11 12; do
    soon held "hold.$turn"
done
wait_states server open 12
wait_states one open 12
[ "$(states server waiting)" -le 8 ] || bad "$(states server waiting) wait, of 8 at most"
# one of them is cut by its number, as any other connection
id=$(duet ctl --control server.control sessions --json | grep '"state": *"open"' | head -1 | sed 's/.*"id": *\([0-9]*\).*/\1/')
duet ctl --control server.control kill "$id" || bad "kill"
wait_states one open 11
: >released
lost=0
while read -r one; do
    wait "$one" || lost=$((lost + 1))
done <hold.pids
[ $lost -eq 1 ] || bad "$lost of 12 were lost, not the one that was killed"

# the waiting ones are not in the access log, and ctl counts them
! grep -q 'outcome unreached' server.err || bad "an attempt is logged as a connection"
duet ctl --control one.control metrics | grep -q '^duet_connections_waiting{tunnel="client"} [1-9]' || bad "no metric"

# the relay dies and comes back: the server is there again
stop one
soon 'it is tried again' server.err
start one "$DUET" client -v -k k --listen "$plain" --await "$await" --control one.control --timeout 60
listening one
[ "$(meet)" = inside ] || bad "after the relay's return: $(cat server.err)"
soon 'is reached again' server.err

# connections that end as soon as they wait are dialled slowly, and are of use again afterwards
lost() {
    duet ctl --control one.control kill tunnel=client >/dev/null 2>&1
    grep -q 'they are dialled more slowly' server.err
}
wait_until lost || bad "what ends at once is dialled on and on: $(tail -3 server.err)"
[ "$(meet)" = inside ] || bad "after that: $(tail -3 server.err)"

# a reload at either end disturbs nothing
for name in one server; do
    kill -HUP "$(pid $name)"
    soon 'reloaded: new' $name.err
    [ "$(meet)" = inside ] || bad "after a reload of $name"
done
stop server
wait_states one waiting 0
stop one

# two relays, PROXY headers through both ends, and another key in silence
relay one --proxy-protocol out --timeout 60
plain_one=$plain await_one=$await
relay two --proxy-protocol out --timeout 60 -k k
target teller teller
start server "$DUET" server -v -k k --dial "$await_one" --dial "$await" --target "$target"
for at in "$plain_one" "$plain"; do
    peer source_of "$at" >out || bad "no header through $at"
    says '^127.0.0.1 127.0.0.1 ' out
done
duet keygen -q -o other >/dev/null
start wrong "$DUET" server -v -k other --dial "$await" --target "$target" --handshake-timeout 2
soon 'the peer stayed silent' wrong.err
soon 'outcome stranger' two.err
kill "$(pid wrong)"
stop server
stop two
stop one

# a limit refuses what is too much, and no server at all is said
relay one --max-connections 1 --timeout 2
expect_cut() {
    peer be_cut "$plain" >out || bad "$1"
}
expect_cut "a connection that no server serves"
soon 'no server that dials here' one.err
next_port
target=127.0.0.1:$port
start named2 "$PYTHON" "$services" named "$target" inside
listening named2
start server "$DUET" server -v -k k --dial "$await" --target "$target"
wait_states one waiting 2
rm -f released
timeout 300 "$PYTHON" "$services" stay "$plain" released >hold.out 2>&1 & holding=$!
soon held hold.out
expect_cut "one above the limit"
soon 'max-connections is reached' one.err
: >released
wait $holding || bad "the one within the limit"
stop server
stop one

# what does not go together is said
expect 2 'dial and --listen' duet server -k k --dial 127.0.0.1:1 --listen :2 --target 127.0.0.1:3
expect 2 'await and --target' duet client -k k --await :1 --listen 127.0.0.1:2 --target 127.0.0.1:3
expect 2 'takes one worker' duet client -k k --await :1 --listen 127.0.0.1:2 --workers 2
expect 2 'above --pool-max' duet server -k k --dial 127.0.0.1:1 --target 127.0.0.1:3 --pool-min 9 --pool-max 8
done_testing
