#!/bin/sh
# Several services of servers that dial, behind one port of the relay: the peer's secret says whose
# connections wait for it; limits and reloads stay each tunnel's own.
# shellcheck disable=SC2034,SC2154 # some variables are set by eval
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
services=$(dirname "$peer")/services.py
for key in red blue other; do
    duet keygen -o $key >/dev/null
done

# named NAME: a service that tells its name, and a server with the key of that name that dials for it
named() {
    next_port
    start "$1" "$PYTHON" "$services" named "127.0.0.1:$port" "$1"
    listening "$1"
    start "server-$1" "$DUET" server -v -k "$1" --dial "$await" --target "127.0.0.1:$port" \
        --control "$1.control"
}

# tunnel NAME [SETTING...]: one more in the relay's file, with a plain address of its own
tunnel() {
    eval "at=\${plain_$1:-}"
    if [ -z "$at" ]; then
        next_port
        at=127.0.0.1:$port
        eval "plain_$1=$at"
    fi
    printf '[Tunnel %s]\nside = client\nlisten = %s\nawait = %s\nkey = %s\n' "$1" "$at" "$await" "$1"
    shift
    for setting; do
        echo "$setting"
    done
}

# reached NAME: that tunnel's plain address leads to the service of this name
reached() {
    eval "at=\$plain_$1"
    got=$(timeout 300 "$PYTHON" "$services" meet "$at") && [ "$got" = "$1" ] ||
        bad "$1 leads to '$got': $(cat relay.err "server-$1.err")"
}

# waiting TUNNEL COUNT: so many peers of it wait at the relay
waiting() {
    wait_until test_waiting "$@" || bad "not $2 wait for $1: $(duet ctl --control control sessions)"
}

test_waiting() {
    [ "$(duet ctl --control control sessions --json | grep "\"tunnel\": *\"$1\"" |
        grep -c '"state": *"waiting"')" -eq "$2" ]
}

next_port
await=127.0.0.1:$port
: >conf
printf '[Global]\ncontrol = control\n' >global
tunnel red >red.part
tunnel blue >blue.part
cat global red.part blue.part >conf
start relay "$DUET" run -v -c conf
listening relay
says "blue: listening on $await, with red" relay.err
named red
named blue
waiting red 2
waiting blue 2
reached red
reached blue

# a secret that neither has meets silence, and is in nobody's pool
start server-other "$DUET" server -v -k other --dial "$await" --target 127.0.0.1:1 --handshake-timeout 2
soon 'it is tried again' server-other.err
stop server-other

# what only one of them denies is denied to its own peers alone
{
    cat global red.part
    tunnel blue 'deny = 127.0.0.0/8'
} >conf
kill -HUP "$(pid relay)"
soon 'reloaded: new' relay.err
stop server-blue
start server-blue "$DUET" server -v -k blue --dial "$await" --target 127.0.0.1:1
soon 'blue.*its source is not allowed' relay.err
waiting blue 0
reached red
stop server-blue

# the first of them goes: its peers are shut out, and the others' come in as before
cat global blue.part >conf
kill -HUP "$(pid relay)"
wait_until grep -q 'blue: listening on [^,]*$' relay.err || bad "blue does not listen: $(cat relay.err)"
named blue
waiting blue 2
reached blue
timeout 300 "$PYTHON" "$services" meet "$plain_red" >out 2>&1 && bad "red still listens"
stop relay

# what nothing decides is refused
check() {
    duet run -c conf --check >out 2>&1 && bad "taken: $(cat conf)"
    says "$1" out
}
cat global red.part blue.part | sed 's/^key = blue/key = red/' >conf
check 'has a key in common'
{
    cat global red.part
    tunnel blue 'await = 127.0.0.1:9'
} >conf
check 'the same addresses in await'
cat global red.part blue.part | sed "s/^listen = $plain_blue/listen = $await/" >conf
check 'choose another'
done_testing
