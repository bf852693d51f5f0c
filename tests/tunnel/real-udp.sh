#!/bin/sh
# Datagrams through a tunnel: a name server (dnsmasq) that dig asks, one question at a time and many at
# once, with answers of a few bytes and of thousands; and a WireGuard network between two network
# namespaces, through a tunnel whose ends reach each other by TCP.
# shellcheck disable=SC2154 # some variables are set by eval
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
PATH=$PATH:/usr/sbin
needs dnsmasq dig
ends=

take_down() {
    stop_all
    for space in $ends; do
        ip netns del "$space" 2>/dev/null
    done
    finish
}
trap take_down EXIT

# ask PORT NAME [OPTION...]: an answer without more
ask() {
    at=$1
    shift
    dig @127.0.0.1 -p "$at" +tries=1 +timeout=20 +short "$@"
}

# chunk: 200 bytes of text
chunk() {
    printf '%0200d' 7
}

echo "== DNS"
fresh_port dns
launch dnsmasq --keep-in-foreground --no-resolv --no-hosts --pid-file= --user="$(id -un)" --bind-interfaces \
    --listen-address=127.0.0.1 --port="${dns##*:}" --cache-size=0 --edns-packet-max=4096 \
    --conf-file=/dev/null --address=/test/192.0.2.7 \
    --txt-record="long.text,$(chunk),$(chunk),$(chunk),$(chunk),$(chunk),$(chunk),$(chunk),$(chunk),$(chunk),$(chunk)"
answers() {
    [ "$(ask "${dns##*:}" name.test)" = 192.0.2.7 ]
}
wait_until answers || bad "dnsmasq does not answer: $(cat launched.err)"
"$DUET" keygen -q -o key >/dev/null
fresh_port far
fresh_port near
launch "$DUET" server -k key --listen "$far" --target "udp:$dns"
server=$pid
launch "$DUET" client -k key --listen "udp:$near" --target "$far" --udp-replies 1 --control control
client=$pid
await "$far" || bad "the server does not listen"
through() {
    [ "$(ask "${near##*:}" name.test)" = 192.0.2.7 ]
}
wait_until through || bad "no answer through the tunnel: $(cat launched.err)"
size=$(ask "${near##*:}" long.text TXT +bufsize=4096 +ignore | wc -c)
[ "$size" -ge 2000 ] || bad "an answer of 2,000 bytes came as $size"

# many at once, each from a port of its own
rm -f answers.*
asking=
for turn in 1 2 3 4 5 6 7 8; do
    for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
        echo "n$number-$turn.test"
    done >questions.$turn
    ask "${near##*:}" -f questions.$turn >answers.$turn & asking="$asking $!"
done
for one in $asking; do
    wait "$one"
done
got=$(cat answers.* | grep -c '^192\.0\.2\.7$')
echo "$got of 200 questions answered"
[ "$got" -eq 200 ] || bad "$got of 200 questions were answered"
none_left() {
    [ "$("$DUET" ctl --control control sessions --json | grep -c '"tunnel"')" -eq 0 ]
}
wait_until none_left || bad "flows that were answered stay: $("$DUET" ctl --control control sessions)"
alive "$server" "$client"
stop "$client" "$server"

echo "== WireGuard"
missing=
for program in wg ip ping; do
    command -v $program >/dev/null || missing=$program
done
[ "$(id -u)" -eq 0 ] || missing=root
near_end=duet-$$-near
far_end=duet-$$-far
[ -n "$missing" ] || ip netns add $near_end 2>/dev/null || missing="network namespaces"
[ -z "$missing" ] || {
    echo "skipped: WireGuard takes $missing"
    done_testing
}
ends="$near_end $far_end"
ip netns add $far_end
ip link add wire netns $near_end type veth peer name wire netns $far_end

# network END ADDRESS: of the link
network() {
    ip -n "$1" link set lo up
    ip -n "$1" addr add "$2" dev wire
    ip -n "$1" link set wire up
}

# guard END: an interface of WireGuard, by the kernel or by wireguard-go, under a name of the end's own, as
# wireguard-go has a socket of that name. Fails where neither is here.
guard() {
    ip -n "$1" link add "wg-${1##*-}" type wireguard 2>/dev/null && return
    command -v wireguard-go >/dev/null || return
    launch ip netns exec "$1" wireguard-go -f "wg-${1##*-}"
    there() {
        ip netns exec "$1" wg show "wg-${1##*-}" >/dev/null 2>&1
    }
    wait_until there "$1"
}

# peer END OWN OTHER ADDRESS ENDPOINT...: its keys, its address, and whom it speaks to
peer() {
    end=$1 own=$2 other=$3 address=$4
    shift 4
    ip netns exec "$end" wg set "wg-$own" listen-port 51820 private-key "$own.wg" \
        peer "$(wg pubkey <"$other.wg")" allowed-ips 10.88.0.0/24 "$@"
    ip -n "$end" addr add "$address" dev "wg-$own"
    ip -n "$end" link set "wg-$own" mtu 1420 up
}

network $near_end 10.77.0.1/24
network $far_end 10.77.0.2/24
(umask 077 && wg genkey >near.wg && wg genkey >far.wg)
if ! guard $near_end || ! guard $far_end; then
    echo "skipped: neither the kernel nor wireguard-go has WireGuard here"
    done_testing
fi
launch ip netns exec $far_end "$DUET" server -k key --listen 10.77.0.2:4000 --target udp:127.0.0.1:51820
server=$pid
launch ip netns exec $near_end "$DUET" client -k key --listen udp:127.0.0.1:4000 --target 10.77.0.2:4000 \
    --udp-timeout 120
client=$pid
peer $near_end near far 10.88.0.1/24 endpoint 127.0.0.1:4000 persistent-keepalive 25
peer $far_end far near 10.88.0.2/24
reached() {
    ip netns exec $near_end ping -q -c 1 -W 2 10.88.0.2 >/dev/null
}
wait_until reached || bad "no ping gets through: $(cat launched.err)"
ip netns exec $near_end ping -q -i 0.02 -c 200 -s 1392 10.88.0.2 >ping.out || bad "pings: $(cat ping.out)"
grep loss ping.out
lost=$(sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p' ping.out)
[ "$lost" = 0 ] || bad "$lost % of the pings were lost"
# TCP within WireGuard within TCP: slow or not, every byte is right
: >"$work/served"
launch ip netns exec $far_end "$load" serve 10.88.0.2:4001
tcp() {
    ip netns exec $near_end "$load" steady 10.88.0.2:4001 1 100 1 1 >/dev/null 2>&1
}
wait_until tcp || bad "no TCP through WireGuard"
timeout 300 ip netns exec $near_end "$load" upload 10.88.0.2:4001 4 5000000 >answer ||
    bad "uploads: $(tr '\t\n' '= ' <answer)"
[ "$(value complete answer)" -eq 4 ] || bad "$(value complete answer) of 4 uploads complete"
# the way of the tunnel is cut for a while, and WireGuard goes on
ip -n $near_end link set wire down
sleep 3
ip -n $near_end link set wire up
wait_until reached || bad "no ping gets through once the link is back: $(cat launched.err)"
alive "$server" "$client"
done_testing
