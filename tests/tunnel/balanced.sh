# Three duet servers behind a balancer: what the scripts for HAProxy and nginx share.
# shellcheck shell=sh
# shellcheck source=real.sh
. "$here/real.sh"

# server_at NUMBER [OPTION...]: starts that server, or starts it again.
server_at() {
    number=$1
    shift
    eval "at=\$at_$number"
    launch "$DUET" server -k key --listen "$at" --target "$service" --control "$work/control.$number" "$@"
    eval "server_$number=\$pid"
    await "$at" || bad "server $number does not listen: $(tail -3 launched.err)"
}

# balancer_ready CONFIG: its ports are made free ones, and $front is where it listens.
balancer_ready() {
    "$DUET" keygen -q -o key >/dev/null
    serve_load
    fresh_port front
    for number in 1 2 3; do
        fresh_port at_$number
    done
    # shellcheck disable=SC2154 # at_N are set above
    sed -e "s/\(bind\|listen\) [:0-9]*4000/\1 $front/" -e "s/127.0.0.1:4001/$at_1/" \
        -e "s/127.0.0.1:4002/$at_2/" -e "s/127.0.0.1:4003/$at_3/" "$1" >balancer.conf
}

# client_through: duet client to the balancer; plain connections go to $near.
client_through() {
    await "$front" || bad "the balancer does not start: $(tail -3 launched.err)"
    fresh_port near
    launch "$DUET" client -k key --listen "$near" --target "$front"
    client=$pid
    await "$near" || bad "the client does not listen"
    timeout 60 "$load" steady "$near" 20 20000 1 10 >answer
    undisturbed "all three"
}

# broken_and_back [OPTION...]: one is killed under load and comes back: those that it held are cut, and
# nothing else happens to anyone.
# shellcheck disable=SC2154 # server_2 and server_3 are set by server_at
broken_and_back() {
    load_begin steady 20 20000 8 10
    sleep 2
    kill -9 "$server_2"
    wait "$server_2" 2>/dev/null
    sleep 2
    server_at 2 "$@"
    load_end
    loads refused 0
    loads wrong 0
    [ "$(value cut answer)" -le 20 ] || bad "$(value cut answer) connections cut of twenty that were open"
    echo "one of three killed: $(value cut answer) cut, $(value refused answer) refused," \
        "$(value connections answer) connections, $(value round_trips answer) round trips"

    load_begin steady 20 20000 6 10
    sleep 1
    kill "$server_3" # drains
    wait "$server_3" || bad "a server that drains ends with $?"
    sleep 1
    server_at 3 "$@"
    load_end
    undisturbed "one drained and back"
    for number in 1 2 3; do
        timeout 10 "$DUET" ctl --control "control.$number" metrics >"metrics.$number" ||
            bad "no metrics of server $number"
    done
}
