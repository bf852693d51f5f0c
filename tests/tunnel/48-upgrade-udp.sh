#!/bin/sh
# UDP over an upgrade: a datagram that was asked before is answered by the process that leaves, those that
# come later belong to the new one, none is lost, and flows go on, also of those who only listen.
# shellcheck disable=SC2154 # fresh_port sets some variables
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=upgrading.sh
. "$(dirname "$peer")/upgrading.sh"
datagrams=$(dirname "$peer")/datagrams.py

udp() {
    timeout 300 "$PYTHON" "$datagrams" "$@"
}

fresh_port target
start slow "$PYTHON" "$datagrams" slow "$target" answer
listening slow
for workers in 1 2; do
    fresh_port wire flow
    start server "$DUET" server -v -k k --listen "$wire" --target "udp:$target" --workers $workers
    start client "$DUET" client -v -k k --listen "udp:$flow" --target "$wire" --workers $workers \
        --udp-timeout 8
    listening server
    listening client

    # ---- Replies that come after the upgrade, and one flow after another that is used all the time ----
    rm -f answer upgraded released across.out stay.out
    udp across "$flow" upgraded answer >across.out & across=$!
    udp stay "$flow" released >stay.out & stay=$!
    soon asked across.out
    soon held stay.out
    left=$(pid client)
    upgrade server 1
    upgrade client 1
    : >upgraded
    wait $across || bad "replies to what was asked before: $(cat client.err server.err)"
    for round in 2 3; do
        upgrade client $round
        upgrade server $round
    done
    : >released
    wait $stay || bad "a datagram was lost: $(cat client.err server.err)"

    # ---- The processes that left end with their flows ----
    wait_until gone "$left" || bad "process $left goes on: $(cat client.err)"
    ! grep -q 'the service ends' server.err || bad "the server ended a flow: $(cat server.err)"
    ! grep -q 'error' server.err client.err || bad "$(cat server.err client.err)"
    udp ask "$flow" 1 2 3 || bad "after that: $(cat client.err server.err)"
    stop_new client
    stop_new server
done
kill "$(pid slow)"

# ---- A program that asked before and listens since hears on, for longer than a reply may take ----
fresh_port target wire flow
start teller "$PYTHON" "$datagrams" told "$target" over
listening teller
start server "$DUET" server -v -k k --listen "$wire" --target "udp:$target"
start client "$DUET" client -v -k k --listen "udp:$flow" --target "$wire" --udp-timeout 4
listening server
listening client
udp listen "$flow" 15 >listen.out & hearing=$!
soon heard listen.out
left=$(pid client)
upgrade client 1
wait $hearing || bad "who only listens hears no more: $(cat client.err)"
if gone "$left"; then bad "the flow has ended: $(cat client.err)"; fi
: >over
wait_until gone "$left" || bad "process $left goes on without a datagram: $(cat client.err)"
stop_new client
stop server
done_testing
