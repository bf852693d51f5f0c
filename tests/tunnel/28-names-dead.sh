#!/bin/sh
# Names in a zone whose servers are dead: other names are resolved as ever, also beside those that programs
# ask for, a target whose name is not resolved leaves time for the next, and the service ends when asked to.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
[ -n "${NAMES:-}" ] || {
    echo "skipped: no fake_names.c here"
    exit 77
}
refused_twice() {
    [ "$(grep -c 'not reloaded' client.err)" -ge 2 ]
}

# has_asked COUNT: so many connections of the server look their targets up
has_asked() {
    [ "$(duet ctl --control server.control sessions --json | grep -c '"state": *"dialling"')" -ge "$1" ]
}

chmod 700 . # for a control socket
target echo echo
next_port
wire=127.0.0.1:$port
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
listening server
next_port
dead=127.0.0.1:$port
next_port
good=127.0.0.1:$port
next_port
second=127.0.0.1:$port
{
    printf '[Global]\nshutdown-timeout = 1\n[Tunnel dead]\nside = client\nlisten = %s\nkey = k\ntimeout = 60\n' "$dead"
    for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do
        echo "target = dead$number.invalid:1"
    done
    printf '[Tunnel good]\nside = client\nlisten = %s\nkey = k\ntarget = good.invalid:%s\n' \
        "$good" "${wire#*:}"
    printf '[Tunnel second]\nside = client\nlisten = %s\nkey = k\ntimeout = 6\n' "$second"
    for number in '' -2 -3 -4 -5; do
        echo "target = dead$number.invalid:1"
    done
    echo "target = good.invalid:${wire#*:}"
} >conf
# Under the address sanitizer another library comes first, which is meant.
start client env LD_PRELOAD="$NAMES" NAMES_DEAD=dead NAMES_NAME=good.invalid \
    NAMES_ADDRESS=127.0.0.1 ASAN_OPTIONS=verify_asan_link_order=0 "$DUET" run -v -c conf
soon 'second: listening' client.err

# Many wait for the dead ones.
start many "$PYTHON" "$peer" visit 200 $dead $dead $dead $dead $dead $dead $dead $dead $dead $dead
soon held many.out
for _ in 1 2 3; do
    peer both "$good" 1 || bad "a dead zone stops another tunnel: $(cat client.err)"
done
grep 'tunnel dead.*outcome' client.err && bad "the dead ones ended before"
peer both "$second" 1 || bad "no time is left for the second target: $(cat client.err)"
says 'tunnel second, .*target good.invalid.*outcome done' client.err

# A reload that names such an address to listen on fails soon, and open connections go on.
start held "$PYTHON" "$peer" trickle "$good" released
soon begun held.out
cp conf right
printf '[Tunnel new]\nside = client\nlisten = dead.invalid:1\nkey = k\ntarget = %s\n' "$wire" >>conf
kill -HUP "$(pid client)"
soon 'dead.invalid: the resolver did not answer within 1 s' client.err
soon 'not reloaded' client.err
# So does one that names many of them for one port, which are compared.
cp right conf
for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
    printf '[Tunnel new%s]\nside = client\nlisten = dead%s.invalid:1\nkey = k\ntarget = %s\n' \
        $number $number "$wire" >>conf
done
kill -HUP "$(pid client)"
wait_until refused_twice || bad "a reload that names many dead ones holds up all: $(cat client.err)"
cp right conf
: >released
ended held 0
peer both "$good" 1 || bad "a listener's dead name stops the tunnel: $(cat client.err)"
stop client
stop server
kill "$(pid many)"

# ---- Programs ask a server for dead names, and one for a good one ----
next_port
wire=127.0.0.1:$port
start server env LD_PRELOAD="$NAMES" NAMES_DEAD=dead NAMES_NAME=good.invalid NAMES_ADDRESS=127.0.0.1 \
    ASAN_OPTIONS=verify_asan_link_order=0 "$DUET" server -v -k k --listen "$wire" --timeout 600 \
    --control server.control --shutdown-timeout 1 --allow-target '*' --allow-target 127.0.0.0/8
next_port
plain=127.0.0.1:$port
start client "$DUET" client -v -k k --listen "$plain" --target "$wire" --socks --timeout 600 --shutdown-timeout 1
listening server
listening client
asked=''
for number in 1 2 3 4 5 6; do
    "$PYTHON" "$(dirname "$peer")/socks.py" ask "$plain" dead$number.invalid 1 >/dev/null 2>&1 &
    asked="$asked $!"
done
wait_until has_asked 6 || bad "not all are asked: $(cat server.err)"
timeout 60 "$PYTHON" "$(dirname "$peer")/socks.py" ask "$plain" good.invalid "${target#*:}" >out ||
    bad "dead names that others ask for stop this one: $(cat server.err)"
says '^0' out
# shellcheck disable=SC2086
kill $asked
stop client
stop server
done_testing
