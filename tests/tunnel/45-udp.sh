#!/bin/sh
# UDP through a tunnel: a flow for each source, sizes, order, the address of a reply, queues that drop the
# oldest, time-outs, replies that are counted, limits, reloads, workers, reversed tunnels, wrong secrets
# and ends that do not match.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
datagrams=$(dirname "$peer")/datagrams.py

udp() {
    timeout 300 "$PYTHON" "$datagrams" "$@"
}

# target_udp NAME KIND [ARGUMENT]: a server of datagrams.py; $target is its address.
target_udp() {
    next_port
    target=127.0.0.1:$port
    start "$1" "$PYTHON" "$datagrams" "$2" "$target" ${3:+"$3"}
    listening "$1"
}

# up_udp: as up, with datagrams at both ends; $flow is the client's address without udp:
up_udp() {
    next_port
    flow=127.0.0.1:$port
    server_options="--control server.control $server_options"
    client_options="--control client.control $client_options"
    up "udp:$target" "udp:$flow"
}

# counted NAME KEY: what a service has counted for its one tunnel
counted() {
    duet ctl --control "$1.control" status --json | grep -o "\"$2\": *[0-9]*" | grep -o '[0-9]*$' | head -1
}

# sessions NAME [KEY]: how many there are, or a number of the first one
sessions() {
    if [ $# -eq 1 ]; then
        duet ctl --control "$1.control" sessions --json | grep -c '"id":' || :
    else
        duet ctl --control "$1.control" sessions --json | grep -o "\"$2\": *[0-9]*" | grep -o '[0-9]*$' | head -1
    fi
}

# is VALUE COMMAND...: does the command print that?
is() {
    value=$1
    shift
    [ "$("$@")" = "$value" ]
}

test_refused() {
    [ "$(counted server datagrams_refused)" -gt 0 ]
}

# ---- sizes, order, many flows ----
target_udp echo echo
echo "$target" >echo.address
server_options='' client_options=''
up_udp
udp ask "$flow" 0 1 512 1400 1472 9000 65507 0 65507 || bad "sizes: $(cat client.err server.err)"
udp flows "$flow" 32 40 || bad "flows: $(cat client.err server.err)"
udp flows "$flow" 8 40 || bad "flows: $(cat client.err server.err)"
[ "$(sessions client)" -eq 41 ] || bad "$(sessions client) flows, not 41"
[ "$(counted client datagrams_out)" -eq 1609 ] || bad "$(counted client datagrams_out) out"
[ "$(counted server datagrams_in)" -eq 1609 ] || bad "$(counted server datagrams_in) in"
[ "$(counted client datagrams_in)" -eq 1609 ] || bad "$(counted client datagrams_in) back"
[ "$(counted client datagrams_dropped)" -eq 0 ] || bad "$(counted client datagrams_dropped) dropped"
[ "$(sessions client datagrams_queued)" -eq 0 ] || bad "some are queued"
duet ctl --control client.control metrics >metrics
says 'duet_datagrams_total{tunnel="client",direction="out"} 1609' metrics
says 'duet_datagrams_dropped_total{tunnel="client"} 0' metrics
says 'info: client: listening on udp:' client.err
# flows would keep a service; it ends them by itself
stop client
wait_until is 0 sessions server || bad "the client's flows are left at the server"
says 'outcome done: the peer ended the flow' server.err
stop server

# ---- idle flows end, at both ends and in order ----
server_options='--udp-timeout 1' client_options='--udp-timeout 1'
up_udp
udp ask "$flow" 10
wait_until is 0 sessions client || bad "an idle flow goes on"
wait_until is 0 sessions server || bad "an idle flow goes on at the server"
says 'outcome done: no datagram came within udp-timeout' client.err
udp ask "$flow" 10 || bad "another flow after that"
down

# ---- as many replies as are expected ----
server_options='' client_options='--udp-replies 1'
up_udp
udp ask "$flow" 30
wait_until is 0 sessions client || bad "a flow that was answered goes on"
wait_until is 0 sessions server || bad "a flow that was answered goes on at the server"
says 'outcome done: its replies have come' client.err
udp ask "$flow" 1 2 3 4 || bad "the next datagrams of a source"
down

# ---- while nobody takes them: a bounded queue, from which the oldest go ----
target_udp numbers record
next_port
flow=127.0.0.1:$port
next_port
wire=127.0.0.1:$port
start client "$DUET" client -v -k k --listen "udp:$flow" --target "$wire" --control client.control --timeout 200
listening client
udp numbered "$flow" 150
wait_until is 86 sessions client datagrams_dropped || bad "$(sessions client datagrams_dropped) dropped, not 86"
[ "$(sessions client datagrams_queued)" -eq 64 ] || bad "$(sessions client datagrams_queued) are queued, not 64"
start server "$DUET" server -v -k k --listen "$wire" --target "udp:$target" --control server.control
listening server
soon '^149$' numbers.out
seq 86 149 >expected
same expected numbers.out
down
stop_by_force() {
    kill -KILL "$(pid "$1")" 2>/dev/null
}
stop_by_force numbers

# ---- a server that is stopped: the client holds 64 datagrams, and goes on with the newest ----
target=$(cat echo.address)
server_options='' client_options=''
up_udp
udp ask "$flow" 20
kill -STOP "$(pid server)"
udp pour "$flow" 20000 1400
[ "$(counted client datagrams_dropped)" -gt 0 ] || bad "none is dropped: $(counted client datagrams_out) went out"
duet ctl --control client.control sessions --json | grep -o '"datagrams_queued": *[0-9]*' | grep -o '[0-9]*$' >queued
while read -r one; do
    [ "$one" -le 64 ] || bad "$one are queued"
done <queued
kill -CONT "$(pid server)"
wait_until udp patient "$flow" || bad "no echo after the pause: $(cat client.err server.err)"
down

# ---- a reply comes from the address that was asked ----
next_port
asked=$port
client_options='--control client.control --unsafe-listen'
up "udp:$target" "udp:0.0.0.0:$asked"
udp ask "127.0.0.1:$asked" 5 || bad "asked at 127.0.0.1"
udp ask "127.0.0.3:$asked" 5 || bad "asked at 127.0.0.3"
down
if "$PYTHON" -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
    next_port
    asked=$port
    client_options='--control client.control'
    up "udp:$target" "udp:[::1]:$asked"
    udp ask "[::1]:$asked" 0 1 65507 || bad "asked at ::1"
    down
else
    without tunnel/45-udp "no IPv6 here"
fi

# ---- limits ----
server_options='' client_options='--max-connections 2'
up_udp
udp stay "$flow" released >one.out & one=$!
udp stay "$flow" released >two.out & two=$!
soon held one.out
soon held two.out
udp unanswered "$flow" || bad "a third flow of two"
: >released
wait $one || bad "the first flow"
wait $two || bad "the second flow"
rm released
says 'the limit max-connections = 2 is reached' client.err
duet ctl --control client.control metrics >metrics
! grep -q 'limit="max-connections"} 0' metrics || bad "the limit is not counted"
down
client_options='--max-from-source 1'
up_udp
udp ask "$flow" 5
udp unanswered "$flow" || bad "a second flow of a source"
says 'outcome refused' client.err
down
client_options='--deny 127.0.0.1'
up_udp
udp unanswered "$flow" || bad "a flow of a denied source"
says 'its source is not allowed' client.err
down

# ---- a target that is not there is counted, and ends nothing ----
echo_address=$target
next_port
target=127.0.0.1:$port
client_options=
up_udp
for _ in 1 2 3 4; do
    udp unanswered "$flow" 1 || bad "nobody answers"
done
wait_until test_refused || bad "no refusal is counted: $(duet ctl --control server.control status --json)"
[ "$(sessions server)" -eq 4 ] || bad "$(sessions server) flows, not 4"
down
target=$echo_address

# ---- a service by its name, which TCP does not know ----
service=$(udp service)
if [ -n "$service" ]; then
    start named "$PYTHON" "$datagrams" echo "127.0.0.1:${service#* }"
    listening named
    target=localhost:${service% *}
    up_udp
    udp ask "$flow" 5 || bad "a service's name: $(cat server.err)"
    down
    stop_by_force named
    target=$echo_address
else
    without tunnel/45-udp "no service of UDP alone is known or free here"
fi

# ---- the wrong secret meets silence ----
duet keygen -o other >/dev/null
next_port
wire=127.0.0.1:$port
next_port
flow=127.0.0.1:$port
start server "$DUET" server -v -k other --listen "$wire" --target "udp:$target" --control server.control
start client "$DUET" client -v -k k --listen "udp:$flow" --target "$wire" --timeout 2 --handshake-timeout 2
listening server
listening client
udp unanswered "$flow" || bad "a wrong secret is answered"
soon 'outcome unreached' client.err
[ "$(counted server handshakes)" -eq 0 ] || bad "a wrong secret opened"
stop client
stop_by_force server

# ---- ends that do not match ----
server_options='' client_options=''
target_udp_address=$target
target plain echo
next_port
flow=127.0.0.1:$port
up "$target" "udp:$flow"
udp unanswered "$flow" 1
soon 'the peer carries datagrams or asks' server.err
down
up "udp:$target_udp_address"
peer be_cut "$plain" >out || bad "a connection through datagrams"
soon 'the peer carries a connection and this end datagrams' server.err
down
target=$target_udp_address

# ---- a server that dials ----
next_port
flow=127.0.0.1:$port
next_port
start client "$DUET" client -v -k k --listen "udp:$flow" --await "127.0.0.1:$port" --control client.control
listening client
start server "$DUET" server -v -k k --dial "127.0.0.1:$port" --target "udp:$target" --control server.control
udp ask "$flow" 0 100 65507 || bad "reversed: $(cat client.err server.err)"
udp flows "$flow" 16 8 || bad "flows, reversed: $(cat client.err server.err)"
down

# ---- workers ----
next_port
wire=127.0.0.1:$port
next_port
flow=127.0.0.1:$port
start server "$DUET" server -v -k k --listen "$wire" --target "udp:$target" --workers 2
start client "$DUET" client -v -k k --listen "udp:$flow" --target "$wire" --workers 2
listening server
listening client
udp flows "$flow" 32 8 || bad "workers: $(cat client.err server.err)"
expect 3 'another program has the port' duet client -k k --listen "udp:$flow" --target "$wire"
down

# ---- reloads ----
next_port
second=127.0.0.1:$port
next_port
flow=127.0.0.1:$port
{
    printf '[Global]\ncontrol = client.control\n'
    printf '[Tunnel one]\nside = client\nlisten = udp:%s\ntarget = %s\nkey = k\n' "$flow" "$wire"
} >conf
cp conf before
start server "$DUET" server -v -k k --listen "$wire" --target "udp:$target"
start client "$DUET" run -v -c conf
listening server
listening client
rm -f one.out
udp stay "$flow" released >one.out & one=$!
soon held one.out
printf '[Tunnel two]\nside = client\nlisten = udp:%s\ntarget = %s\nkey = k\n' "$second" "$wire" >>conf
duet ctl --control client.control reload || bad "reload: $(cat client.err)"
udp ask "$second" 1 2 3 || bad "a tunnel that a reload added: $(cat client.err)"
: >released
wait $one || bad "a flow over a reload"
[ "$(duet ctl --control client.control sessions --json | grep -c '"id":')" -eq 2 ] || bad "not two flows"
cat before >conf
duet ctl --control client.control reload || bad "reload: $(cat client.err)"
soon 'tunnel two.*outcome done: a reload withdrew its address' client.err
udp unanswered "$second" 1 || bad "a tunnel that is gone"
udp ask "$flow" 10 || bad "the one that stays"
down

# ---- a socket that is passed ----
next_port
flow=127.0.0.1:$port
start client "$PYTHON" "$datagrams" passed "$flow" "$DUET" client -v -k k --listen udp:fd:N --target "$wire"
start server "$DUET" server -v -k k --listen "$wire" --target "udp:$target"
listening client
listening server
udp ask "$flow" 0 10 20 || bad "a passed socket: $(cat client.err)"
down
expect 3 'a tunnel takes one of UDP as udp:fd' udp passed "$flow" "$DUET" client -k k --listen fd:N --target "$wire"

# ---- what cannot be ----
refused() {
    text=$1
    shift
    expect 2 "$text" duet "$@"
}
refused 'reach each other over TCP' client -k k --listen udp:127.0.0.1:1 --target udp:127.0.0.1:2
refused 'reach each other over TCP' server -k k --listen udp:127.0.0.1:1 --target udp:127.0.0.1:2
refused 'a tunnel of its own' client -k k --listen udp:127.0.0.1:1 --listen 127.0.0.1:2 --target 127.0.0.1:3
refused 'proxy-protocol is for connections' server -k k --listen 127.0.0.1:1 --target udp:127.0.0.1:2 --proxy-protocol out
refused 'health-interval is for targets' server -k k --listen 127.0.0.1:1 --target udp:127.0.0.1:2 --health-interval 1
refused 'udp-replies is for a client' client -k k --listen 127.0.0.1:1 --target 127.0.0.1:2 --udp-replies 1
refused 'is no address of UDP' client -k k --listen udp:unix:x --target 127.0.0.1:2
refused 'is on another machine' server -k k --listen 127.0.0.1:1 --target udp:192.0.2.1:2
refused 'UDP is for tunnels' pipe -k k udp:127.0.0.1:1
refused 'UDP is for tunnels' pipe -k k -l udp:127.0.0.1:1
expect 2 'can be reached from other machines' duet client -k k --listen "udp:0.0.0.0:${flow##*:}" --target 127.0.0.1:2

done_testing
