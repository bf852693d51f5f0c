#!/bin/sh
# PROXY headers pass the real source on to the target, the log and the limits, at both ends and behind
# a balancer; a peer that is not trusted to send one, or sends none, is refused.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
magic='from 127.0.0.1:[0-9]* to'

ends() {
    timeout 400 "$PYTHON" "$(dirname "$peer")/ends.py" "$@"
}
# longer LINES FILE: it has more lines than that
longer() {
    [ "$(wc -l <"$2")" -gt "$1" ]
}

next_port
target=127.0.0.1:$port
start target "$PYTHON" "$(dirname "$peer")/ends.py" print_source "$target"
listening target
id=$(sed -n 's/^Id = //p' k)

# ---- Out: at a server with the peer's secret, at a client with whom it took ----
server_options='--proxy-protocol out'
up "$target"
expect 0 '' ends talk "$plain" hello none
says '^hello end$' out
soon "^$magic $wire e0=$id\$" target.out
down
: >target.out
server_options='' client_options='--proxy-protocol out'
up "$target"
expect 0 '' ends talk "$plain" hello none
says '^hello end$' out
soon "^$magic $plain\$" target.out
down

# ---- The identity and its name ----
: >target.out
duet keygen --identity -o a.id >a.public
duet keygen --identity -o b.id >b.public
printf '[Peer alice]\nPublicKey = %s\n' "$(cat a.public)" >peers
server_options='--proxy-protocol out -i b.id --peers peers' client_options='-i a.id'
up "$target"
expect 0 '' ends talk "$plain" hello none
soon "^$magic $wire e0=$id e1=$(cat a.public) e2=alice\$" target.out
down
says "identity $(cat a.public), peer alice, " server.err

# ---- In, at a client, handed on ----
: >target.out
server_options='' client_options='--proxy-protocol both --handshake-timeout 8 --max-from-source 1'
up "$target"
for how in 'tcp4 203.0.113.7 1234' 'tcp6 2001:db8::7 99'; do
    # shellcheck disable=SC2086
    expect 0 '' ends talk "$plain" hello $how
    says '^hello end$' out
done
soon '^from 203.0.113.7:1234 to 203.0.113.1:80$' target.out
soon '^from 2001:db8::7:99 to 2001:db8::1:80$' target.out
soon 'from 203.0.113.7:1234, via 127.0.0.1:[0-9]*, .*outcome done' client.err
soon 'from \[2001:db8::7\]:99, via ' client.err
expect 0 '' ends talk "$plain" hello local # it names no source, so the socket's is passed on
says '^hello end$' out
soon "^$magic $plain\$" target.out
expect 0 '' ends talk "$plain" hello v1
says '^hello end$' out
soon 'from 203.0.113.7:1234, via 127.0.0.1:[0-9]*, .*outcome done' client.err
expect 0 '' ends talk "$plain" 'GET / HTTP/1.0' none
says '^ reset$' out
soon 'outcome refused: no PROXY header' client.err
expect 0 '' ends talk "$plain" '' none # silent, then gone: it only looked
lines=$(wc -l <client.err)
ends check "$plain" 3 local
ends check "$plain" 3 none
expect 0 '' ends talk "$plain" hello tcp4 203.0.113.70 1 # and the next line is this one's
soon 'from 203.0.113.70:1, ' client.err
[ "$(wc -l <client.err)" -eq "$((lines + 1))" ] || bad "health checks are in the log: $(tail -3 client.err)"
"$PYTHON" -c "import socket
s = socket.create_connection(('127.0.0.1', ${plain#*:}), 100)
s.sendall(b'\r\n\r\n')
try:
    s.recv(1)
except ConnectionResetError:
    pass"
soon 'outcome refused: no PROXY header came in time' client.err

# ---- The limit counts the named source, not the proxy ----
ends talk "$plain" hello tcp4 203.0.113.8 1 >one &
first=$!
"$PYTHON" - "$plain" "$(dirname "$peer")" <<'END' || bad "limits by the named source"
import sys
sys.path.insert(0, sys.argv[2])
from ends import connect, header
held = [connect(sys.argv[1]) for _ in range(3)]
for s, source in zip(held, ("203.0.113.9", "203.0.113.10", "203.0.113.9")):
    s.sendall(header("tcp4", source) + b"x")
try:
    assert held[2].recv(1) == b"", "one too many from one source is served"
except ConnectionResetError:
    pass
END
wait $first
says '^hello end$' one
soon 'from 203.0.113.9:1234, .*outcome refused: its source has as many' client.err
down

# ---- From who is not trusted ----
client_options='--proxy-protocol in --proxy-from 192.0.2.0/24 --proxy-from 2001:db8::/32'
up "$target"
expect 0 '' ends talk "$plain" hello tcp4
says '^ reset$\|^ end$' out
soon 'outcome refused: it is no proxy whose headers are believed' client.err
down

# ---- In, at a server behind a balancer ----
: >target.out
server_options='--proxy-protocol both --drain-timeout 1-1' client_options=''
up "$target"
next_port
start front "$PYTHON" "$(dirname "$peer")/ends.py" front "127.0.0.1:$port" "$wire" tcp4 203.0.113.20 77
listening front
front=127.0.0.1:$port
stop client
start client "$DUET" client -v -k k --listen "$plain" --target "$front" --timeout 10
listening client
expect 0 '' ends talk "$plain" hello none
says '^hello end$' out
soon "^from 203.0.113.20:77 to 203.0.113.1:80 e0=$id\$" target.out
soon 'from 203.0.113.20:77, via 127.0.0.1:[0-9]*, target .*outcome done' server.err
lines=$(wc -l <server.err)
ends check "$wire" 5 local
ends check "$wire" 5 none
sleep 1.5 # the time after which a peer without a header is closed
expect 0 '' ends talk "$plain" next none # and the next line is this one's
wait_until longer $lines server.err
[ "$(wc -l <server.err)" -eq "$((lines + 1))" ] || bad "health checks are in the log: $(tail -3 server.err)"
# Without a header a peer gets silence, as any unauthenticated peer.
expect 4 '' duet ping -k k --handshake-timeout 2 "$wire"
soon 'outcome stranger: no PROXY header' server.err
expect 0 '' ends talk "$plain" again none
says '^again end$' out
down
done_testing
