#!/bin/sh
# A listener and unauthenticated peers: it sends nothing to them, the time at which it closes reveals
# nothing, it logs why, and its real peer is served beside them without waiting (docs/protocol.md §4
# "Probing").
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
needs_python
duet keygen -o k >/dev/null
duet keygen -o other >/dev/null
printf '[Profile]\nLabel = acme\n' >label
echo hello >data
mkdir got

drain=6      # seconds for which the listener reads from an unauthenticated peer
patience=100 # of such a peer, on a machine that is busy

# visitor PORT SECONDS HEX: sends bytes, then prints how many came back and when it was closed; a FIN
# follows the bytes where HEX ends with "fin".
cat >visitor.py <<'END'
import socket, sys, time
port, seconds, text = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
begin = time.time()
s = socket.create_connection(("127.0.0.1", port))
s.sendall(bytes.fromhex(text.removesuffix("fin")))
if text.endswith("fin"):
    s.shutdown(socket.SHUT_WR)
print("sent", flush=True)
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
visitor() {
    "$PYTHON" visitor.py "$@"
}
hex() {
    od -An -tx1 | tr -d ' \n'
}

# heard_out FILE: nothing was sent to the peer, and it was closed once its time was over, not before.
heard_out() {
    awk -v least=$drain '/^closed 0 / && $3 >= least { good = 1 } END { exit !good }' "$1"
}

for command in "pipe" "recv -o got"; do
    next_port
    # shellcheck disable=SC2086
    start listener "$DUET" $command -v -k k --drain-timeout $drain-$drain -l 127.0.0.1:$port
    listening listener
    # HTTP, one byte, nothing, noise, much noise, each with and without its FIN
    n=0 waiting=
    for bytes in "$(printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | hex)" 00 "" \
        "$(head -c 200 /dev/urandom | hex)" "$(head -c 30000 /dev/urandom | hex)" \
        "$(head -c 47 /dev/urandom | hex)" "$(head -c 48 /dev/urandom | hex)"; do
        for end in "" fin; do
            n=$((n + 1))
            visitor $port $patience "$bytes$end" >visitor.$n &
            waiting="$waiting $!"
        done
    done
    # the wrong secret, another label, another pattern
    expect 4 "stayed silent" duet pipe -k other --handshake-timeout 2 127.0.0.1:$port
    expect 4 "stayed silent" duet pipe -k k --profile label --handshake-timeout 2 127.0.0.1:$port
    expect 4 "stayed silent" duet pipe -k k --pattern secret --handshake-timeout 2 127.0.0.1:$port
    soon "that the secret does not open" listener.err
    soon "pattern 0, which is not accepted" listener.err
    soon "closed before it proved" listener.err
    # shellcheck disable=SC2086
    wait $waiting
    for log in visitor.[0-9]*; do
        heard_out "$log" || bad "$command, $log: $(cat "$log")"
    done
    # the listener's real peer, for it to end
    if [ "$command" = pipe ]; then
        duet pipe -k k 127.0.0.1:$port <data || bad "the real peer after the others"
    else
        duet send -q -k k data 127.0.0.1:$port || bad "the real peer after the others"
    fi
    ended listener 0
    # half-open connections, and the real peer is served while all of them are open
    next_port
    # shellcheck disable=SC2086
    start listener "$DUET" $command -v -k k --drain-timeout 90-90 -l 127.0.0.1:$port
    listening listener
    for n in 1 2 3 4 5; do
        rm -f half.$n
        visitor $port $patience 00 >half.$n &
    done
    for n in 1 2 3 4 5; do
        soon sent half.$n
    done
    if [ "$command" = pipe ]; then
        duet pipe -k k 127.0.0.1:$port <data || bad "the real peer"
    else
        duet send -q -k k data 127.0.0.1:$port || bad "the real peer"
    fi
    ended listener 0
    for n in 1 2 3 4 5; do # the listener's own end closes them, long before their time
        soon 'closed\|reset' half.$n
        awk '$3 >= 90 { late = 1 } END { exit late }' half.$n || bad "the real peer waited: $(cat half.$n)"
    done
done
same data got/data

# a recorded flight gets no answer the second time
next_port
real=$port
start listener "$DUET" pipe -v -k k --drain-timeout 30-30 -l 127.0.0.1:$real
listening listener
cat >relay.py <<'END'
import socket, sys, threading
# Passes one connection on, but keeps TOP's first flight and plays it to the listener before.
listen, target = int(sys.argv[1]), int(sys.argv[2])
a = socket.create_server(("127.0.0.1", listen))
print("listening on", listen, file=sys.stderr, flush=True)
top, _ = a.accept()
flight = top.recv(65536)
first = socket.create_connection(("127.0.0.1", target))
first.sendall(flight)           # the listener answers this one ...
first.settimeout(60)
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
start relay "$PYTHON" relay.py $port $real
listening relay
expect 4 "" duet pipe -k k --handshake-timeout 10 127.0.0.1:$port
ended relay 0
says "answered True then silence" relay.out
says "replay" listener.err
echo x | duet pipe -k k 127.0.0.1:$real || bad "the real peer after a replay"
ended listener 0

# silence, a close and a reset towards one who connects
next_port
cat >silent.py <<'END'
import socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on", sys.argv[1], file=sys.stderr, flush=True)
for answer in (None, None, b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(2000)):
    c, _ = s.accept()
    while answer is None and c.recv(65536):
        pass  # until it has given up
    c.sendall(answer or b"")
    c.close()
END
start silent "$PYTHON" silent.py $port
listening silent
expect 4 "stayed silent" duet pipe -k k --handshake-timeout 0.3 127.0.0.1:$port
# One that connects as BOTTOM reports after that time too, and closes when a listener would.
expect 4 "stayed silent for 0.3 s" duet pipe -k k --bottom --handshake-timeout 0.3 \
    --drain-timeout 1-1 127.0.0.1:$port
expect 4 "closed before it proved" duet pipe -k k 127.0.0.1:$port
expect 4 "that the secret does not open" duet pipe -k k 127.0.0.1:$port
ended silent 0
done_testing
