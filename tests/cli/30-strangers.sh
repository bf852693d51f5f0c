#!/bin/sh
# A listener among strangers: it sends nothing, closes at no telling point, says why at home, and its
# real peer gets in beside them without waiting (docs/protocol.md §4 "Probing").
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
: "${PYTHON:=python3}"
duet keygen -o k >/dev/null
duet keygen -o other >/dev/null
printf '[Profile]\nLabel = acme\n' >label
echo hello >data
mkdir got

# stranger PORT SECONDS HEX: sends octets, then says how many came back and when it was closed; a FIN
# follows the octets where HEX ends with "fin".
cat >stranger.py <<'END'
import socket, sys, time
port, seconds, text = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
s = socket.create_connection(("127.0.0.1", port))
begin = time.time()
s.sendall(bytes.fromhex(text.removesuffix("fin")))
if text.endswith("fin"):
    s.shutdown(socket.SHUT_WR)
s.settimeout(seconds)
got = b""
try:
    while True:
        part = s.recv(65536)
        if not part:
            print("closed", len(got), round(time.time() - begin, 1))
            break
        got += part
except TimeoutError:
    print("open", len(got))
except OSError as error:
    print("reset", len(got), error)
END
stranger() {
    "$PYTHON" stranger.py "$@"
}
hex() {
    od -An -tx1 | tr -d ' \n'
}

for command in "pipe" "recv -o got"; do
    next_port
    # shellcheck disable=SC2086
    start listener "$DUET" $command -v -k k --drain-timeout 2-2 -l 127.0.0.1:$port
    listening listener
    # HTTP, one octet, nothing, noise, much noise, each with and without its FIN: all alike
    n=0
    for octets in "$(printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | hex)" 00 "" \
        "$(head -c 200 /dev/urandom | hex)" "$(head -c 30000 /dev/urandom | hex)" \
        "$(head -c 47 /dev/urandom | hex)" "$(head -c 48 /dev/urandom | hex)"; do
        for end in "" fin; do
            n=$((n + 1))
            stranger $port 6 "$octets$end" >stranger.$n &
        done
    done
    strangers=$n
    sleep 0.5
    # the wrong secret, another label, another pattern
    expect 4 "stayed silent" duet pipe -k other --handshake-timeout 0.5 127.0.0.1:$port
    expect 4 "stayed silent" duet pipe -k k --profile label --handshake-timeout 0.5 127.0.0.1:$port
    expect 4 "stayed silent" duet pipe -k k --pattern secret --handshake-timeout 0.5 127.0.0.1:$port
    says "none of 1 secrets opens" listener.err
    says "pattern 0, which is not accepted" listener.err
    says "closed before it proved" listener.err
    sleep 2
    n=0
    while [ $n -lt $strangers ]; do
        n=$((n + 1))
        tries=0
        while [ ! -s stranger.$n ] && [ $tries -lt 60 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
        grep -qE '^closed 0 [23]\.[0-9]$' stranger.$n || bad "$command, stranger $n: $(cat stranger.$n)"
    done
    # half-open connections, and the real peer beside them at once
    for _ in 1 2 3 4 5; do
        stranger $port 1 00 >/dev/null &
    done
    sleep 0.2
    begin=$(date +%s%N)
    if [ "$command" = pipe ]; then
        duet pipe -k k 127.0.0.1:$port <data || bad "the real peer"
    else
        duet send -q -k k data 127.0.0.1:$port || bad "the real peer"
    fi
    took=$((($(date +%s%N) - begin) / 1000000))
    [ $took -lt 1900 ] || bad "the real peer waited $took ms"
    ended listener 0
done
same data got/data

# a flight that was recorded is a stranger's the second time
next_port
start listener "$DUET" pipe -v -k k --drain-timeout 3-3 -l 127.0.0.1:$port
listening listener
cat >relay.py <<'END'
import socket, sys, threading
# Passes one connection on, but keeps TOP's first flight and plays it to the listener before.
listen, target = int(sys.argv[1]), int(sys.argv[2])
a = socket.create_server(("127.0.0.1", listen))
top, _ = a.accept()
flight = top.recv(65536)
first = socket.create_connection(("127.0.0.1", target))
first.sendall(flight)           # the listener answers this one ...
first.settimeout(5)
answer = first.recv(65536)
second = socket.create_connection(("127.0.0.1", target))
second.sendall(flight)          # ... and never again
second.settimeout(1)
try:
    print("answered", len(answer), "then", len(second.recv(65536)))
except TimeoutError:
    print("answered", len(answer) > 0, "then silence")
END
next_port
"$PYTHON" relay.py $port $((port - 1)) >relay &
sleep 0.5
expect 4 "" duet pipe -k k --handshake-timeout 2.5 127.0.0.1:$port
wait $!
says "answered True then silence" relay
says "replay" listener.err
echo x | duet pipe -k k 127.0.0.1:$((port - 1)) || bad "the real peer after a replay"
ended listener 0

# silence, a close and a reset towards one who connects
next_port
cat >silent.py <<'END'
import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for answer in (None, b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(2000)):
    c, _ = s.accept()
    if answer is None:
        time.sleep(1)
    c.sendall(answer or b"")
    c.close()
END
"$PYTHON" silent.py $port &
sleep 0.5
expect 4 "stayed silent" duet pipe -k k --handshake-timeout 0.3 127.0.0.1:$port
sleep 1
expect 4 "closed before it proved" duet pipe -k k 127.0.0.1:$port
expect 4 "none of 1 secrets opens" duet pipe -k k 127.0.0.1:$port
wait $!
done_testing
