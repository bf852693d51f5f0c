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
done_testing
