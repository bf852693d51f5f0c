#!/bin/sh
# A first flight that was recorded before a listener began: by the clocks none is answered, which is
# the default of -l, and a setting elsewhere. The size of the replay cache.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
needs_python
duet keygen -o k >/dev/null
mkfifo open # an end that sends CLOSE answers no ping
hold_open >open &
children="$children $!"

# ---- Record one ----
cat >record.py <<'END'
import socket, sys
a = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on", sys.argv[1], file=sys.stderr, flush=True)
s, _ = a.accept()
open(sys.argv[2], "wb").write(s.recv(65536))
END
# record FILE
record() {
    next_port
    start recorder "$PYTHON" record.py $port "$1"
    listening recorder
    expect 4 "" duet ping -q -k k --handshake-timeout 1 --linger 0-0 127.0.0.1:$port
    ended recorder 0
}
cat >play.py <<'END'
import socket, sys
for name in sys.argv[2:]:
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.sendall(open(name, "rb").read())
    s.settimeout(120 if name == sys.argv[-1] else 60)
    print("answered" if s.recv(65536) else "silence", flush=True)
END
record one
record two

# plays WANTED FLIGHT...: what a listener does, flight by flight.
plays() {
    wanted=$1
    shift
    "$PYTHON" play.py $port "$@" | tr '\n' ' ' >played
    [ "$(cat played)" = "$wanted " ] || bad "$*: '$(cat played)' instead of '$wanted'"
}

# listener COMMAND OPTIONS...: at $port, with a short silence.
listener() {
    next_port
    case $1 in
    server) start listener "$DUET" "$@" -v -k k --drain-timeout 1-1 --listen 127.0.0.1:$port --target 127.0.0.1:9 ;;
    *) stdin=open start listener "$DUET" "$@" -v -k k --drain-timeout 1-1 -l 127.0.0.1:$port ;;
    esac
    listening listener
}

end_listener() {
    kill -TERM "$(pgrep -P "$(cat listener.pid)")"
    wait_until test -s listener.code
}

for command in pipe recv; do
    listener $command
    plays silence one
    says "before this program began to remember" listener.err
    end_listener
    listener $command --max-skew never
    plays "answered silence" one one
    end_listener
done
listener server
plays "answered silence" one one
end_listener
listener server --max-skew 60m
plays silence one
end_listener

# ---- A small cache forgets; a peer with a right clock is served ----
listener server --replay-size 1
plays "answered answered answered silence" one two one one
duet ping -q -c 1 -k k 127.0.0.1:$port >/dev/null 2>&1 # its target is away, after the handshake
soon 'outcome unreached' listener.err
end_listener
listener pipe --max-skew 10
expect 0 "" duet ping -q -c 1 -k k 127.0.0.1:$port

expect 2 "or never" duet pipe -k k --max-skew 0 -l 127.0.0.1:$port
expect 2 "from 1 to" duet pipe -k k --replay-size 0 -l 127.0.0.1:$port
done_testing
