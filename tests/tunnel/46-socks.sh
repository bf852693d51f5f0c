#!/bin/sh
# Targets that programs ask for by SOCKS5: what the server's list allows is reached, all else is refused
# with the code that says why, and a name cannot lead where its addresses may not.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
chmod 700 .
socks=$(dirname "$peer")/socks.py

socks() {
    timeout 300 "$PYTHON" "$socks" "$@"
}

# asks REPLY HOST PORT: a program that asks for that is told so
asks() {
    got=$(socks ask "$plain" "$2" "$3" 2>&1)
    [ "$got" = "$1" ] || bad "$2 port $3: reply $got, not $1: $(cat server.err client.err)"
}

target echo echo
open=${target#*:}
next_port
closed=$port
next_port
other=$port
next_port
wire=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
cat >server.conf <<END
[Global]
control = s
[Tunnel out]
side = server
listen = $wire
key = k
allow-target = 127.0.0.1:$open
allow-target = 127.0.0.1:$closed
allow-target = named.invalid
allow-target = *.invalid:1-9
END
# The name is at an address that is not listed, and at one that is.
if [ -n "${NAMES:-}" ]; then
    start server env LD_PRELOAD="$NAMES" NAMES_NAME=named.invalid NAMES_ADDRESS='127.0.0.3 127.0.0.1' \
        ASAN_OPTIONS=verify_asan_link_order=0 "$DUET" run -v -c server.conf
else
    start server "$DUET" run -v -c server.conf
fi
start client "$DUET" client -v -k k --listen $plain --target "$wire" --socks --control c
listening server
listening client
duet ctl --control s status >status
says "^out .* $wire by request: 127.0.0.1:$open,127.0.0.1:$closed,named.invalid,\\*.invalid:1-9\$" status
duet ctl --control s status --json >status
says "\"target\":\\[],.*\"allow_target\":\\[\"127.0.0.1:$open\"," status

# ---- What is allowed ----
asks 0 127.0.0.1 "$open"
says "target 127.0.0.1:$open" server.err
asks 0 ::ffff:127.0.0.1 "$open" # the same in the form of IPv6
if [ -n "${NAMES:-}" ]; then
    asks 0 named.invalid "$open" # by the address that is listed alone
    asks 2 named.invalid "$other" # by none: a listed name does not allow an address of this machine
    says "named.invalid:$other: it has an address that allow-target does not allow" server.err
else
    without tunnel/46-socks "names are not asked for: no fake_names.c here"
fi

# ---- What is not ----
asks 2 127.0.0.1 "$other"
says "it asks for 127.0.0.1:$other, which allow-target does not allow" server.err
soon "127.0.0.1 port $other: the server does not allow that target" client.err
asks 2 127.0.0.2 "$open"
asks 2 ::1 "$open"
asks 2 unix 80 # a host that is called so, and no path
asks 2 other.example.org 80
asks 5 127.0.0.1 "$closed"
asks 4 none.invalid 9

# ---- Programs that ask for something else, or badly ----
# refuses HEX...: what a program has back ends with the last, or is that
refuses() {
    want=$1
    shift
    got=$(socks raw "$plain" "$@" 2>&1)
    [ "$got" = "$want" ] || bad "$*: $got, not $want: $(cat client.err)"
}
refuses 050005070001000000000000 050100 05020001 7f0000010050
refuses 050005070001000000000000 050100 05030001 7f0000010050
refuses 050005080001000000000000 050100 05010002 7f0000010050
refuses 050005010001000000000000 050100 05010003 00
refuses 050005010001000000000000 050100 05010003021b5b0050
refuses 05ff 050102
refuses nothing 04010050
refuses nothing 474554202f
soon 'it speaks SOCKS4' client.err
soon 'it speaks HTTP' client.err
soon 'the program wants a login' client.err
soon 'something else than CONNECT' client.err
socks cut "$plain" || bad "requests that are cut"
asks 0 127.0.0.1 "$open"

# ---- Reload: the list of new connections ----
sed -i "s/^allow-target = 127.0.0.1:$open/allow-target = 127.0.0.1:$other/" server.conf
kill -HUP "$(pid server)"
soon 'reloaded: new' server.err
asks 2 127.0.0.1 "$open"
asks 5 127.0.0.1 "$other"
sed -i "s/^allow-target = 127.0.0.1:$other/allow-target = 127.0.0.0\/8:$open/" server.conf
kill -HUP "$(pid server)"
twice() {
    [ "$(grep -c 'reloaded: new' server.err)" -eq 2 ]
}
wait_until twice || bad "not reloaded twice"
asks 0 127.0.0.1 "$open"

# ---- curl ----
if command -v curl >/dev/null 2>&1; then
    next_port
    web=127.0.0.1:$port
    echo 'a page' >page
    sed -i "s/:$open\$/:$port/" server.conf
    start web "$PYTHON" -m http.server --bind 127.0.0.1 "$port"
    kill -HUP "$(pid server)"
    thrice() {
        [ "$(grep -c 'reloaded: new' server.err)" -eq 3 ]
    }
    wait_until thrice || bad "not reloaded three times"
    fetches() {
        [ "$(curl -s --max-time 60 --socks5-hostname "$plain" "http://$web/page")" = 'a page' ]
    }
    wait_until fetches || bad "curl: $(cat server.err client.err)"
else
    without tunnel/46-socks "curl is not installed"
fi
stop server
stop client
grep -q 'cut' server.err client.err && bad "a connection was cut: $(grep cut server.err client.err)"

# ---- A server that is not there; one that has a target; a client that asks for nothing ----
start client "$DUET" client -v -k k --listen $plain --target "$wire" --socks --timeout 1
listening client
asks 1 127.0.0.1 "$open"
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
listening server
got=$(socks ask $plain 127.0.0.1 "$open")
[ "$got" = 1 ] || bad "a server with a target: reply $got"
stop server
stop client
next_port
wire=127.0.0.1:$port
start server "$DUET" server -v -k k --listen "$wire" --allow-target "127.0.0.1:$open"
start client "$DUET" client -v -k k --listen $plain --target "$wire"
listening server
listening client
peer be_cut $plain >out || bad "a client without a request was served"
soon 'it asks for no target; its tunnel needs socks' server.err
stop client

# ---- A program that is slow ----
start client "$DUET" client -v -k k --listen $plain --target "$wire" --socks --handshake-timeout 1
listening client
refuses 050005010001000000000000 050100 0501
soon 'its SOCKS request did not come in time' client.err
stop client
stop server

# ---- The server dials ----
next_port
wire=127.0.0.1:$port
start client "$DUET" client -v -k k --listen $plain --await "$wire" --socks
listening client
start server "$DUET" server -v -k k --dial "$wire" --allow-target "127.0.0.1:$open"
asks 0 127.0.0.1 "$open"
asks 2 127.0.0.1 "$other"
stop server
stop client

# ---- Settings ----
# faulty TEXT LINE...: a tunnel with these lines is refused so
faulty() {
    text=$1
    shift
    { printf '[Tunnel a]\nkey = k\nlisten = 127.0.0.1:1\n' && printf '%s\n' "$@"; } >conf
    expect 2 "$text" duet run --check -c conf
}
faulty 'socks is for a client' 'side = server' 'target = 127.0.0.1:2' 'socks = yes'
faulty 'allow-target is for a server' 'side = client' 'allow-target = a'
faulty 'allow-target and target' 'side = server' 'target = 127.0.0.1:2' 'allow-target = a'
faulty 'must be a name' 'side = server' 'allow-target = 10.0.0/8'
faulty 'proxy-protocol out is for' 'side = server' 'allow-target = a' 'proxy-protocol = out'
faulty 'health-interval is for' 'side = server' 'allow-target = a' 'health-interval = 1'
done_testing
