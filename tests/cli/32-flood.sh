#!/bin/sh
# More half-open connections than a listener holds, or has descriptors for: the oldest make room, the
# real peer is served at once, and the log stays small.
. "$(dirname "$0")/common.sh"
needs_python
duet keygen -o k >/dev/null
head -c 1000000 /dev/urandom >data
cat >flood.py <<'END'
import socket, sys, time
open_ones = []
for i in range(int(sys.argv[2])):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=100)
    s.sendall(b"abc")
    open_ones.append(s)
print("open", flush=True)
time.sleep(1000)
END

# flood COUNT COMMAND...: that many unauthenticated peers at a listener, then its real one
flood() {
    count=$1
    shift
    next_port
    stdin=data start listener "$@" pipe -v -k k -l 127.0.0.1:$port
    listening listener
    rm -f ready
    "$PYTHON" flood.py $port "$count" >ready &
    flooder=$!
    children="$children $flooder"
    wait_until test -s ready || bad "$count peers do not get through"
    duet pipe -k k --handshake-timeout 25 127.0.0.1:$port <data >got || bad "$count unauthenticated peers: the real one is not served"
    same data got
    ended listener 0
    same data listener.out
    says "its handshake was not finished when its place was needed" listener.err
    [ "$(grep -c stayed listener.err)" -le 22 ] || bad "a flood of lines too"
    kill $flooder
    wait $flooder 2>/dev/null
}

cat >few <<'END'
#!/bin/sh
ulimit -n 16
exec "$DUET" "$@"
END
cat >one <<'END'
#!/bin/sh
exec "$DUET" "$@" --max-connections 1
END
chmod +x few one
export DUET
flood 300 "$DUET"
flood 40 ./few
flood 5 ./one

# ---- Who keeps its place: a peer that was answered, and one of a source that has few ----
cat >crowd.py <<'END'
import os, socket, sys, time
# Passes TOP's connection on from an address of its own, and holds its first flight, or what follows
# the answer, while silent connections crowd the listener.
listen, target, source, hold = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
a = socket.create_server(("127.0.0.1", listen))
b = socket.create_server(("127.0.0.1", int(sys.argv[5])))  # the target of a server
print("listening on", listen, file=sys.stderr, flush=True)
top, _ = a.accept()
to = socket.create_connection(("127.0.0.1", target), source_address=(source, 0))
if hold == "last":
    to.sendall(top.recv(65536))
    top.sendall(to.recv(65536))
silent = []
while not os.path.exists("go"):
    s = socket.socket()
    s.settimeout(5)
    try:
        s.connect(("127.0.0.1", target))
    except OSError:
        pass
    silent.append(s)
    time.sleep(0.05)
import threading
def forward(one, other):
    try:
        while part := one.recv(65536):
            other.sendall(part)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass
back = threading.Thread(target=forward, args=(to, top))
back.start()
forward(top, to)
back.join()
END

evicted() {
    [ "$(grep -c 'its place was needed' listener.err)" -ge 6 ]
}

# crowd SOURCE HOLD COMMAND...: a listener for eight
crowd() {
    source=$1
    hold=$2
    shift 2
    rm -f go
    next_port
    target=$port
    next_port
    listener=$port
    case $1 in
    server) start listener "$DUET" "$@" -v -k k --handshake-timeout 29 --max-half-open 8 \
        --listen 127.0.0.1:$port --target 127.0.0.1:$target ;;
    *) start listener "$DUET" "$@" -v -k k --handshake-timeout 29 --max-connections 8 -l 127.0.0.1:$port ;;
    esac
    listening listener
    next_port
    start crowd "$PYTHON" crowd.py $port $listener "$source" "$hold" $target
    listening crowd
    start peer "$DUET" ping -c 1 -k k --handshake-timeout 29 127.0.0.1:$port
    wait_until evicted || bad "$*: none of the silent ones makes room"
    : >go
    wait_until test -s peer.code
    says "authenticated" peer.out
    kill "$(pgrep -P "$(cat listener.pid)")" 2>/dev/null
    wait_until test -s listener.code
    kill "$(cat crowd.pid)" 2>/dev/null
    wait_until test -s crowd.code
}
for command in pipe server; do
    crowd 127.0.0.1 last $command
    [ "$(uname)" != Linux ] || crowd 127.0.0.2 first $command
done
done_testing
