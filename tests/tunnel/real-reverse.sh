#!/bin/sh
# A service behind NAT, in network namespaces: the server there dials, and the client is on the other
# side. The link is cut CUTS times (20), silently or with an error, for up to eight seconds: a new
# connection is served within SERVED_WITHIN seconds (2) of the link's return, and those that are open
# lose nothing. PostgreSQL is under load meanwhile where it is installed. All of it takes LASTS seconds.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
needs_root "a network of its own"
needs "${PYTHON:=python3}" ip
: "${CUTS:=20}" "${SERVED_WITHIN:=2}"
: "${LASTS:=$((CUTS * 7))}" # seconds
services=$here/services.py
for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    [ ! -x "$folder/initdb" ] || PATH=$folder:$PATH
done
home=duet-$$-home
relay=duet-$$-relay
router=duet-$$-router
ip netns add $router 2>/dev/null &&
    ip -n $router link add probe type veth peer name probe2 2>/dev/null &&
    ip netns exec $router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' 2>/dev/null || {
    ip netns del $router 2>/dev/null
    echo "skipped: there are no network namespaces with cables and routes here"
    exit 77
}
take_down() {
    stop_all
    for space in $home $relay $router; do
        ip netns del "$space" 2>/dev/null
    done
    finish
}
trap take_down EXIT

# machine SPACE NETWORK: with the router at the other end of its cable
machine() {
    ip netns add "$1"
    ip link add d$$ netns "$1" type veth peer name "d$2" netns $router
    ip -n "$1" addr add "$2.2/24" dev d$$
    ip -n $router addr add "$2.1/24" dev "d$2"
    ip -n "$1" link set lo up
    ip -n "$1" link set d$$ up
    ip -n $router link set "d$2" up
    ip -n "$1" route add default via "$2.1"
}

machine $home 10.9.8
machine $relay 198.51.100
in_home="ip netns exec $home"
in_relay="ip netns exec $relay"
if command -v nft >/dev/null; then
    ip netns exec $router nft 'add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; };
        add rule ip nat out ip saddr 10.9.8.0/24 masquerade' || bad "no NAT"
    $in_relay ip route del default # the way in is the NAT's alone
else
    without NAT "nft is not installed; the router only forwards"
fi

# cut_link KIND SECONDS: silently, or so that the machine behind NAT sees it; the NAT keeps its state
cut_link() {
    if [ "$1" = silent ]; then
        ip netns exec $router sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
        sleep "$2"
        ip netns exec $router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    else
        ip -n $router link set d10.9.8 down
        sleep "$2"
        ip -n $router link set d10.9.8 up
    fi
}

"$DUET" keygen -q -o key >/dev/null
launch $in_home "$PYTHON" "$services" named 127.0.0.1:4001 inside
cat >relay.conf <<END
[Tunnel named]
side = client
listen = 127.0.0.1:5001
await = :4000
key = key
timeout = 60
[Tunnel sql]
side = client
listen = 127.0.0.1:5432
await = :4002
key = key
timeout = 60
END
cat >home.conf <<END
[Tunnel named]
side = server
dial = 198.51.100.2:4000
target = 127.0.0.1:4001
key = key
[Tunnel sql]
side = server
dial = 198.51.100.2:4002
target = 127.0.0.1:5432
key = key
END
launch $in_relay "$DUET" run -c relay.conf
client=$pid
launch $in_home "$DUET" run -c home.conf
server=$pid

meet() {
    timeout 100 $in_relay "$PYTHON" "$services" meet 127.0.0.1:5001
}

tries=0
until [ "$(meet 2>/dev/null)" = inside ] || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
[ "$(meet)" = inside ] || bad "no way in: $(tail -5 launched.err)"
rm -f released
timeout $((LASTS * 4 + 300)) $in_relay "$PYTHON" "$services" stay 127.0.0.1:5001 released >held & holding=$!

bench=
if [ -z "${WITHOUT_SQL:-}" ] && command -v pgbench >/dev/null && command -v initdb >/dev/null; then
    own data
    (as_nobody initdb -A trust -U bench --no-sync -D data) >initdb.out 2>&1 || bad "$(tail -3 initdb.out)"
    launch $in_home setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
        "$(command -v postgres)" -D data -h 127.0.0.1 -p 5432 -k '' -c fsync=off
    PGUSER=bench PGDATABASE=postgres PGHOST=127.0.0.1
    export PGUSER PGDATABASE PGHOST
    tries=0
    until $in_relay psql -X -q -c 'select 1' >/dev/null 2>&1 || [ $tries -gt 100 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
    timeout 100 $in_relay pgbench -q -i -s 1 >init.out 2>&1 || bad "pgbench -i: $(tail -3 init.out)"
    timeout $((LASTS * 4 + 300)) $in_relay pgbench -n -T "$LASTS" -c 4 >pgbench.out 2>&1 & bench=$!
else
    without "PostgreSQL behind NAT" "initdb and pgbench are not installed, or not asked for"
fi

# cuts of half of eight seconds, and the rest of the time between them
between=$((LASTS / CUTS - 6))
[ $between -ge 1 ] || between=1
worst=0
for turn in $(seq "$CUTS"); do
    kind=silent
    [ $((turn % 2)) -ne 0 ] || kind=error
    # one that comes while the link is cut, and one that comes after it
    (sleep 0.5 && meet >during) & during=$!
    cut_link $kind $((turn % 8 + 1))
    since=$(date +%s%N)
    [ "$(meet)" = inside ] || bad "cut $turn ($kind): nothing is served"
    took=$((($(date +%s%N) - since) / 1000000))
    wait $during || bad "cut $turn ($kind): the one that came meanwhile is not served"
    both=$((($(date +%s%N) - since) / 1000000))
    [ $both -le $((SERVED_WITHIN * 1000)) ] || bad "cut $turn ($kind): served after $took and $both ms"
    [ $both -le $worst ] || worst=$both
    sleep $between
done
echo "$CUTS cuts: new connections are served within $worst ms of the link's return"
: >released
wait $holding || bad "a connection that was open did not outlive the cuts"
if [ -n "$bench" ]; then
    wait $bench || bad "pgbench: $(cat pgbench.out)"
    grep -q '^number of failed transactions: 0 ' pgbench.out || bad "failed transactions: $(cat pgbench.out)"
    grep '^tps' pgbench.out
fi
alive "$server" "$client"
calm "$server" "$client"
done_testing
