#!/bin/sh
# pipe where something on the way alters, cuts or stalls the stream: every verified byte is written,
# not one wrong one, and the exit code tells which it was (docs/protocol.md §1, §4).
. "$(dirname "$0")/common.sh"
needs_python
duet keygen -o k >/dev/null
head -c 3000000 /dev/urandom >data

# relay LISTEN TARGET AT HOW: passes one connection on, and does HOW to the byte AT of what comes
# from the target: flip a bit of it, cut (FIN), reset (RST), stall; or split: byte by byte up to AT.
cat >relay.py <<'END'
import os, socket, struct, sys, threading, time
listen, target, at, how = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
server = socket.create_server(("127.0.0.1", listen))
print("ready", flush=True)
top, _ = server.accept()
bottom = socket.create_connection(("127.0.0.1", target))
for s in (top, bottom):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

def copy(source, sink, n=0):
    while part := source.recv(65536):
        if sink is top and how == "split" and n < at:
            for byte in part:
                sink.sendall(bytes([byte]))
        elif sink is top and n <= at < n + len(part) and how != "split":
            sink.sendall(part[:at - n])
            if how != "flip":
                return end(sink)
            sink.sendall(bytes([part[at - n] ^ 1]) + part[at - n + 1:])
        else:
            sink.sendall(part)
        n += len(part)
    sink.shutdown(socket.SHUT_WR)

def end(sink):
    if how == "reset":
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os._exit(0)  # the other thread holds the socket too
    elif how == "cut":
        sink.shutdown(socket.SHUT_WR)
    time.sleep(1000)

def safely(source, sink):
    try:
        copy(source, sink)
    except OSError:
        pass

threads = [threading.Thread(target=safely, args=a, daemon=True)
           for a in ((top, bottom), (bottom, top))]
for t in threads:
    t.start()
for t in threads:
    t.join()
END

# via AT HOW CODE TEXT: the client behind the relay ends with CODE and says TEXT; what it wrote is
# left in `got`. reader: a command that reads its output; idle: its idle timeout.
idle=100
via() {
    next_port
    stdin=data start listener "$DUET" pipe -v -k k --drain-timeout 1-1 -l 127.0.0.1:$port
    listening listener
    target=$port
    next_port
    rm -f ready
    "$PYTHON" relay.py $port $target "$1" "$2" >ready &
    relay=$!
    children="$children $relay"
    wait_until test -s ready || bad "the relay does not listen"
    {
        timeout 300 "$DUET" pipe -k k --handshake-timeout 25 --idle-timeout $idle 127.0.0.1:$port \
            </dev/null 2>err
        echo $? >code
    } | ${reader:-cat} >got
    [ "$(cat code)" = "$3" ] || bad "$2 at $1: exit $(cat code), not $3: $(cat err)"
    [ -z "$4" ] || says "$4" err
    [ "$(wc -l <err)" -le 1 ] || bad "$2 at $1: more than one line: $(cat err)"
    size=$(wc -c <got)
    head -c "$size" data | cmp -s - got || bad "$2 at $1: wrong bytes among $size"
    kill $relay "$(cat listener.pid)" 2>/dev/null
    wait $relay 2>/dev/null
}

# before READY: not one byte, and the peer is not authenticated
for at in 0 20 40 47; do
    via $at flip 4 "that the secret does not open"
    [ ! -s got ] || bad "bytes before READY"
    via $at cut 4 "closed before it proved"
    [ ! -s got ] || bad "bytes before READY"
done

# after it: what came before is whole
via 2000000 flip 5 "MAC is wrong"
[ "$size" -gt 1800000 ] || bad "only $size bytes before the altered frame"
via 2000000 cut 6 "without CLOSE"
[ "$size" -gt 1800000 ] || bad "only $size bytes before the cut"
via 2000000 reset 6 "without CLOSE"
idle=8 # more than a busy machine pauses before the stall
via 2000000 stall 7 "peer is slow"
idle=100
[ "$size" -gt 1800000 ] || bad "only $size bytes before the silence"

# a reader that is slow loses nothing of it
slow_reader() {
    sleep 1
    cat
}
reader=slow_reader
via 2000000 flip 5 "MAC is wrong"
[ "$size" -gt 1800000 ] || bad "a slow reader got only $size bytes"
reader=

# however the stream comes in pieces, it is the same stream
via 5000 split 0 ""
same data got
done_testing
