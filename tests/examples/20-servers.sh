#!/bin/sh
# The servers on epoll, libuv and libevent: many sessions at once, much data, peers that are cut off or
# do not hold the secret, and an orderly end.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
bytes=20000
head -c 3000000 /dev/urandom >data
needs_python

twice_silent() {
    [ "$(grep -c '^silence$' prober.out)" -eq 2 ]
}

for name in epoll_server libuv_server libevent_server; do
    has $name || continue
    sessions=100
    [ $name = epoll_server ] && sessions=1000
    [ -z "$WRAP" ] || sessions=30
    next_port
    serve $name k $port
    accepts $port
    # Some that do not hold the secret, send nothing, or leave in the middle: they stay beside the rest.
    # A slow machine lets the server's own time limits pass: an end without a byte is silence too.
    head -c 4000 /dev/urandom | timeout 300 "$PYTHON" -c '
import socket, sys, time
wrong = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
wrong.sendall(sys.stdin.buffer.read())
quiet = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
left = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
left.sendall(b"x" * 10)
left.close()
open("prober", "w").close()
wrong.settimeout(300)
while True:
    time.sleep(0.1)
    try:
        with open("probed") as file:
            break
    except OSError:
        pass
for one in wrong, quiet:
    one.setblocking(False)
    try:
        answer = one.recv(1)
    except BlockingIOError:
        answer = b""
    print("answered:" if answer else "silence", *answer)
' $port >prober.out 2>prober.err &
    children="$children $!"
    exists prober
    timeout 300 "$MANY" k 127.0.0.1 $port $sessions $bytes >many.out 2>many.err || bad "$name: $(cat many.err)"
    says "^$sessions sessions echoed" many.out
    duet pipe -k k 127.0.0.1:$port <data >got 2>pipe.err || bad "$name: $(cat pipe.err)"
    same data got
    touch probed
    wait_until twice_silent || bad "$name is not silent: $(cat prober.out prober.err)"
    stop $name
    rm -f prober probed
done
clean
done_testing
