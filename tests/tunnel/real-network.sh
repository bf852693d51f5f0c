#!/bin/sh
# Bad networks between the ends of a tunnel: slow, losing and cutting connections, altering bytes (by a
# proxy of our own), and one whose router stands still for a while (in network namespaces).
# Nothing wrong arrives, and no cut is taken for an end.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
needs "${PYTHON:=python3}"
between=
serve_load
"$DUET" keygen -q -o key >/dev/null
fresh_port far
launch "$DUET" server -k key --listen "$far" --target "$service"
server=$pid
await "$far"

# rough OPTION...: a client whose way to the server is like that.
rough() {
    fresh_port between
    launch "$PYTHON" "$here/bad_network.py" "${between##*:}" "${far##*:}" "$@"
    network=$pid
    await "$between" || bad "no network"
    fresh_port near
    launch "$DUET" client -k key --listen "$near" --target "$between"
    client=$pid
    await "$near"
}

smooth() {
    alive "$server" "$client"
    stop "$client" "$network"
}

echo "== 50 ms each way"
rough --delay 0.05
timeout 60 "$load" steady "$near" 20 20000 3 10 >answer
undisturbed "slow"
timeout 100 "$load" upload "$near" 4 10000000 >answer || bad "uploads: $(tr '\t\n' '= ' <answer)"
smooth

echo "== a third of the connections is lost at once"
rough --refuse 33
timeout 60 "$load" steady "$near" 10 20000 3 10 >answer
loads wrong 0
echo "$(value refused answer) refused, $(value cut answer) cut, $(value connections answer) connections"
smooth

for way in "--cut 3000000" "--cut 3000000 --fin" "--flip 3000000"; do
    echo "== connections end or change somewhere: $way"
    # shellcheck disable=SC2086
    rough $way
    timeout 100 "$load" upload "$near" 20 2000000 >answer
    loads stuck 0
    echo "$(value complete answer) uploads complete, $(value cut answer) cut"
    [ "$(value cut answer)" -gt 0 ] || bad "$way: nothing was cut"
    timeout 60 "$load" steady "$near" 20 20000 3 20 >answer
    loads wrong 0
    echo "$(value cut answer) requests cut, $(value round_trips answer) answered"
    smooth
done
sleep 1
calm "$server"
stop "$server" $service_pid
echo "the service saw $(value complete served) uploads complete, $(value cut served) cut"
[ "$(value wrong served)" = 0 ] || bad "altered bytes came to the service"
[ "$(value truncated served)" = 0 ] || bad "a cut was taken for an end"

echo "== a router between two machines stands still"
left=duet-$$-left
right=duet-$$-right
router=duet-$$-router
if [ "$(id -u)" -ne 0 ] || ! ip netns add $router 2>/dev/null; then
    echo "left out: takes root and network namespaces"
    done_testing
fi
take_down() {
    for space in $left $right $router; do
        ip netns del "$space" 2>/dev/null
    done
    finish
}
trap take_down EXIT

# machine SPACE NETWORK: with the router at the other end of its cable
machine() {
    ip netns add "$1"
    ip link add d$$ netns "$1" type veth peer name "d$2" netns $router
    ip -n "$1" addr add "198.51.100.$2/30" dev d$$
    ip -n $router addr add "198.51.100.$(($2 + 1))/30" dev "d$2"
    ip -n "$1" link set lo up
    ip -n "$1" link set d$$ up
    ip -n $router link set "d$2" up
    ip -n "$1" route add default via "198.51.100.$(($2 + 1))"
}

# forwarding 1 or 0
forwarding() {
    ip netns exec $router sh -c "echo $1 >/proc/sys/net/ipv4/ip_forward"
}

machine $left 1
machine $right 5
forwarding 1
in_left="ip netns exec $left"
in_right="ip netns exec $right"

: >"$work/served"
launch $in_right "$load" serve 127.0.0.1:4001
launch $in_right "$DUET" server -k key --listen 198.51.100.5:4000 --target 127.0.0.1:4001 --keepalive 2
server=$pid
launch $in_left "$DUET" client -k key --listen 127.0.0.1:4000 --target 198.51.100.5:4000 --keepalive 2 \
    --handshake-timeout 1
client=$pid
sleep 1
near=127.0.0.1:4000

timeout 100 $in_left "$load" steady $near 10 20000 8 20 >answer & loading=$!
sleep 1
forwarding 0
sleep 2
forwarding 1
load_end
undisturbed "two seconds without a way"

mkfifo go
timeout 60 $in_left "$load" hold $near 20 100 <go >answer & holder=$!
exec 3>go
sleep 1
forwarding 0
sleep 8
[ "$(grep -c 'stopped answering' launched.err)" -ge 40 ] ||
    bad "the ends do not notice: $(grep -c 'stopped answering' launched.err) of 40"
calm "$server" "$client"
forwarding 1
echo go >&3
exec 3>&-
wait $holder && bad "connections live on that were reported dead"
sleep 1
timeout 60 $in_left "$load" steady $near 10 20000 1 10 >answer
undisturbed "with a way again"
alive "$server" "$client"
done_testing
