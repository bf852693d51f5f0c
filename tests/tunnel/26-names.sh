#!/bin/sh
# Reloads that give tunnels other names, while connections of the old ones are left: a service full
# of tunnels takes them over, and one that cannot changes nothing.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
chmod 700 .
target echo echo
addresses=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32; do
    next_port
    addresses="$addresses 127.0.0.1:$port unix:$port"
done

# conf NAME: sixty-four tunnels, as many as there may be, with this name and a number
conf() {
    number=0
    printf '[Global]\ncontrol = ctl\n' >conf
    for address in $addresses; do
        number=$((number + 1))
        printf '[Tunnel %s%s]\nside = server\nlisten = %s\ntarget = %s\nkey = k\n' \
            "$1" $number "$address" "$target" >>conf
    done
}

# left NAME ADDRESS...: a program that connects to each, and does not authenticate
left() {
    name=$1
    shift
    start "$name" "$PYTHON" "$peer" visit 300 "$@"
    soon held "$name.out"
}

serves() {
    for address in ${addresses##* } ${addresses%% unix*}; do
        [ "$(echo word | duet pipe -k k "$address")" = word ] || bad "$1: nobody serves $address"
    done
}

conf a
start server "$DUET" run -v -c conf
listening server
soon 'a64: listening' server.err
# shellcheck disable=SC2086
left first $addresses
conf b
expect 0 '' duet ctl --control ctl reload
serves "with other names"
says 'reloaded: new' server.err

# as many again, and there is no room to count them in
# shellcheck disable=SC2086
left second $addresses
conf c
expect 10 'the old configuration stays' duet ctl --control ctl reload
serves "with names that were not taken over"
says 'c1: this tunnel could not be made' server.err
[ "$(grep -c 'reloaded: new' server.err)" -eq 1 ] || bad "logged as reloaded: $(cat server.err)"
stop server
kill "$(pid first)" "$(pid second)"

# one of the same name and the other side counts on when the first one is gone
next_port
printf '[Global]\ncontrol = ctl\n[Tunnel turned]\nside = server\nlisten = 127.0.0.1:%s\ntarget = %s\nkey = k\ndrain-timeout = 1-1\n' \
    $port "$target" >conf
start server "$DUET" run -v -c conf
listening server
left third 127.0.0.1:$port
next_port
printf '[Global]\ncontrol = ctl\n[Tunnel turned]\nside = client\nlisten = 127.0.0.1:%s\ntarget = %s\nkey = k\n' \
    $port "$target" >conf
expect 0 '' duet ctl --control ctl reload
soon 'outcome stranger' server.err
gone() {
    ! duet ctl --control ctl sessions | grep -q turned
}
wait_until gone || bad "its session stays"
duet ctl --control ctl metrics >out
says 'duet_connections_accepted_total{tunnel="turned"} 1' out
kill "$(pid third)"
stop server
done_testing
