#!/bin/sh
# Multipath TCP between the ends of a tunnel, over two links in network namespaces: a link goes down under
# load, then comes back and the other one goes down, and no connection is lost.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
needs_root "a network of its own"
needs "${PYTHON:=python3}" ip ss
near_end=duet-$$-near
far_end=duet-$$-far
"$PYTHON" -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()' 2>/dev/null || {
    echo "skipped: this kernel has no Multipath TCP, or net.mptcp.enabled is 0"
    exit 77
}
ip netns add $near_end 2>/dev/null && ip netns add $far_end &&
    ip -n $near_end mptcp limits set subflows 4 add_addr_accepted 4 2>/dev/null || {
    ip netns del $near_end 2>/dev/null
    echo "skipped: there are no network namespaces here, or ip knows nothing of Multipath TCP"
    exit 77
}
take_down() {
    stop_all
    for space in $near_end $far_end; do
        ip netns del "$space" 2>/dev/null
    done
    finish
}
trap take_down EXIT
in_near="ip netns exec $near_end"
in_far="ip netns exec $far_end"

# link NUMBER: a cable between both
link() {
    ip link add "m$1" netns $near_end type veth peer name "m$1" netns $far_end
    ip -n $near_end addr add "10.77.$1.1/24" dev "m$1"
    ip -n $far_end addr add "10.77.$1.2/24" dev "m$1"
    ip -n $near_end link set "m$1" up
    ip -n $far_end link set "m$1" up
}

link 1
link 2
ip -n $near_end link set lo up
ip -n $far_end link set lo up
ip -n $far_end mptcp limits set subflows 4 add_addr_accepted 4
ip -n $far_end mptcp endpoint add 10.77.2.2 dev m2 signal

"$DUET" keygen -q -o key >/dev/null
: >"$work/served"
launch $in_far "$load" serve 127.0.0.1:4001
launch $in_far "$DUET" server -k key --listen :4000 --target 127.0.0.1:4001 --mptcp --keepalive 30
server=$pid
launch $in_near "$DUET" client -k key --listen 127.0.0.1:4000 --target 10.77.1.2:4000 --mptcp --keepalive 30
client=$pid
near=127.0.0.1:4000

ready() {
    $in_near "$load" steady $near 1 100 1 1 >/dev/null 2>&1
}
wait_until ready || bad "no connection: $(cat launched.err)"

# paths NUMBER: so many sockets of TCP to each other are there over that link
paths() {
    $in_near ss -Htn state established dst "10.77.$1.2" | wc -l
}

# over BROKEN: 10 connections are under load when one link goes down; the other takes over. They last as
# long as the load does, as new ones are dialled over the first link.
over() {
    timeout 200 $in_near "$load" steady $near 10 20000 $((10 + SECONDS_EACH)) 100000000 >answer & loading=$!
    both() {
        [ "$(paths 1)" -ge 10 ] && [ "$(paths 2)" -ge 10 ]
    }
    wait_until both || bad "$(paths 1) and $(paths 2) paths of 10 connections"
    echo "$(paths 1) paths over the first link, $(paths 2) over the second"
    ip -n $near_end link set "m$1" down
    load_end
    undisturbed "link $1 goes down"
    [ "$(value connections answer)" -eq 10 ] || bad "$(value connections answer) connections, not the first 10"
    ip -n $near_end link set "m$1" up
}

echo "== the link of the first path goes down"
over 1
echo "== the other one goes down"
over 2
alive "$server" "$client"

echo "== one end without: plain TCP"
stop "$client"
launch $in_near "$DUET" client -k key --listen 127.0.0.1:4000 --target 10.77.1.2:4000
client=$pid
wait_until ready || bad "no connection by TCP: $(cat launched.err)"
timeout 100 $in_near "$load" steady $near 10 20000 2 10 >answer
undisturbed "plain TCP"

echo "== a kernel without: one warning"
stop "$client"
$in_near sh -c 'echo 0 >/proc/sys/net/mptcp/enabled'
launch $in_near "$DUET" client -k key --listen 127.0.0.1:4000 --target 10.77.1.2:4000 --mptcp
client=$pid
wait_until ready || bad "no connection without Multipath TCP: $(cat launched.err)"
timeout 100 $in_near "$load" steady $near 10 20000 2 10 >answer
undisturbed "a kernel without Multipath TCP"
[ "$(grep -c 'mptcp: this kernel makes no such sockets' launched.err)" -eq 1 ] ||
    bad "not one warning: $(cat launched.err)"
done_testing
