#!/bin/sh
# Several targets: the one with the fewest connections is taken, and one whose health check fails is
# tried last before any connection has met it, until it answers again.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
services=$(dirname "$peer")/services.py

meet() {
    timeout 300 "$PYTHON" "$services" meet "$plain"
}

# named NAME ADDRESS: a service that tells its name
named() {
    start "$1" "$PYTHON" "$services" named "$2" "$1"
    listening "$1"
}

next_port
first=127.0.0.1:$port
next_port
second=127.0.0.1:$port
next_port
third=127.0.0.1:$port
named first $first
named second $second
named third $third

# twelve connections that stay: four at each
next_port
wire=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
start server "$DUET" server -v -k k --listen $wire --target $first --target $second --target $third \
    --balance least-connections --control server.control
listening server
start client "$DUET" client -v -k k --listen $plain --target $wire
listening client
holding=
for turn in 1 2 3 4 5 6 7 8 9 10 11 12; do
    timeout 300 "$PYTHON" "$services" stay "$plain" released >"hold.$turn" 2>&1 &
    holding="$holding $!"
    soon held "hold.$turn"
done
duet ctl --control server.control sessions --json >sessions
for at in $first $second $third; do
    count=$(grep -c "\"target\": *\"$at\"" sessions)
    [ "$count" -eq 4 ] || bad "$count of twelve connections at $at: $(cat sessions)"
done
: >released
for one in $holding; do
    wait "$one" || bad "one of twelve was lost"
done
stop server

# the first target is down, and no connection finds out: the check does
kill "$(cat first.pid)"
ended first 143
start server "$DUET" server -v -k k --listen $wire --target $first --target $second --health-interval 0.2 \
    --control server.control
listening server
soon "target $first: Connection refused; it is tried last" server.err
[ "$(meet)" = second ] || bad "the first target is down: $(cat server.err)"
duet ctl --control server.control status --json | grep -q '"dial_failures": *0' ||
    bad "a connection met the target that is down: $(duet ctl --control server.control status --json)"

# it is back: the check notices that too
named first $first
soon "target $first answers again" server.err
[ "$(meet)" = first ] || bad "the first target is back: $(cat server.err)"

# a reload without checks forgets nothing that connections need
kill -HUP "$(pid server)"
soon 'reloaded: new' server.err
[ "$(meet)" = first ] || bad "after a reload"
stop server
stop client

# of a name with two addresses one answers: the target is up, and down once neither does
if [ -n "${NAMES:-}" ]; then
    next_port
    both=127.0.0.1:$port
    start one "$PYTHON" "$peer" silent "$both"
    listening one
    start server env LD_PRELOAD="$NAMES" NAMES_NAME=both.invalid NAMES_ADDRESS='127.0.0.2 127.0.0.1' \
        ASAN_OPTIONS=verify_asan_link_order=0 "$DUET" server -v -k k --listen $wire \
        --target "both.invalid:$port" --health-interval 0.5
    listening server
    visits() {
        [ "$(grep -c accepted one.err)" -ge 3 ]
    }
    wait_until visits || bad "the second address is not checked: $(cat server.err)"
    ! grep 'it is tried last' server.err || bad "one of two addresses answers"
    kill "$(cat one.pid)"
    soon 'target both.invalid.*it is tried last' server.err
    stop server
else
    without tunnel/43-balance "a name with two addresses: no fake_names.c"
fi

cat >conf <<END
[Tunnel a]
side = client
listen = 127.0.0.1:1
target = 127.0.0.1:2
key = $work/k
health-interval = 1
END
expect 2 'is for a server' duet run --check -c conf
expect 2 'first or least-connections' duet client -k k --listen 127.0.0.1:1 --target 127.0.0.1:2 --balance most
done_testing
