#!/bin/sh
# The budget of trials for peers that have not authenticated: beyond it they wait, a peer from
# elsewhere comes before a flood from one place, and who proves itself is not counted.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
needs_python
[ "$(uname)" = Linux ] || exit 77 # a second address of loopback is Linux's

cat >strangers.py <<'END'
# strangers.py PORT FILE: 18 connections from 127.0.0.2, each with 48 bytes of no meaning; FILE is
# made once all are sent.
import os, socket, sys, time
crowd = []
for _ in range(18):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), source_address=("127.0.0.2", 0))
    s.sendall(os.urandom(48))
    crowd.append(s)
open(sys.argv[2], "w").close()
time.sleep(600)
END
duet keygen -o k >/dev/null

# serve COMMAND RATE: a listener
serve() {
    next_port
    case $1 in
    server) start listener "$DUET" server -v -k k --listen 127.0.0.1:$port --target 127.0.0.1:9 \
        --control s --trial-rate "$2" ;;
    *) start listener "$DUET" "$1" -v -k k --trial-rate "$2" -l 127.0.0.1:$port ;;
    esac
    listening listener
}

tried() {
    grep -c 'sent bytes that the secret does not open' listener.err
}

all_tried() {
    [ "$(tried)" -eq 18 ]
}

end() {
    kill "$(cat crowd.pid)" 2>/dev/null
    wait_until test -s crowd.code
    kill "$(pgrep -P "$(cat listener.pid)")" 2>/dev/null
    wait_until test -s listener.code
}

for command in pipe recv server; do
    rm -f sent
    serve $command 1
    start crowd "$PYTHON" strangers.py $port sent
    wait_until test -e sent
    wait_until grep -q 'the limit trial-rate = 1 is reached' listener.err ||
        bad "$command: no line says that peers wait"
    duet ping -c 1 -k k --handshake-timeout 29 127.0.0.1:$port >peer.out 2>&1
    before=$(tried)
    says authenticated peer.out
    [ "$before" -lt 18 ] || bad "$command: the flood came before a peer from elsewhere"
    if [ $command = server ]; then
        duet ctl --control s metrics >out
        says '^duet_limit_reached_total{tunnel="server",limit="trial-rate"} 1[0-9]$' out
        duet ctl --control s health >out
        says '^limited: the tunnel server has reached trial-rate$' out
    fi
    end

    rm -f sent
    serve $command 0
    start crowd "$PYTHON" strangers.py $port sent
    wait_until all_tried || bad "$command: without a limit $(tried) of 18 were tried"
    ! grep trial-rate listener.err || bad "$command: a limit that is not set"
    end
done

# who proves itself is not counted
serve server 1
for _ in 1 2 3 4 5; do
    duet ping -c 1 -k k --handshake-timeout 29 127.0.0.1:$port >peer.out 2>&1
    says authenticated peer.out
done
! grep trial-rate listener.err || bad "who proves itself is counted"
: >crowd.code
kill "$(pgrep -P "$(cat listener.pid)")" 2>/dev/null
wait_until test -s listener.code
done_testing
