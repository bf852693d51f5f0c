#!/bin/sh
# Times that end a connection: half-closed and idle, a plain side that takes nothing, its age; without
# the settings such connections last. A client that dials on the first byte leaves health checks alone.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# ended_by COUNT TEXT: so many connections of the server ended for this reason
ended_by() {
    [ "$(grep -c "outcome cut: .*$2" server.err)" -ge "$1" ]
}

# ---- Half-closed: the program has closed, and the service never does ----
target silent silent
server_options='--half-close-timeout 1' client_options=
up "$target"
"$PYTHON" - "$plain" <<'END' || bad "not ended: $(cat server.err)"
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1].rsplit(":")[1])))
s.sendall(b"word")
s.shutdown(socket.SHUT_WR)
s.settimeout(120)
try:
    assert s.recv(1) == b""
except ConnectionResetError:
    pass
END
wait_until ended_by 1 'half-close timeout' || bad "half-closed: $(cat server.err)"
down

# ---- A service that takes nothing ----
server_options='--stall-timeout 1'
up "$target"
"$PYTHON" - "$plain" <<'END' || bad "not ended: $(cat server.err)"
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1].rsplit(":")[1])))
s.settimeout(120)
try:
    while True:
        s.sendall(bytes(1 << 16))
except (BrokenPipeError, ConnectionResetError):
    pass
END
wait_until ended_by 1 'took nothing within the stall timeout' || bad "stalled: $(cat server.err)"
down
kill "$(pid silent)"

# ---- Age ----
target echo echo
server_options='--max-age 2'
up "$target"
"$PYTHON" - "$plain" <<'END' || bad "not ended: $(cat server.err)"
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1].rsplit(":")[1])))
s.settimeout(120)
try:
    while True:
        s.sendall(b"word")
        assert s.recv(99)
except (BrokenPipeError, ConnectionResetError, AssertionError):
    pass
END
wait_until ended_by 1 'max-age' || bad "old: $(cat server.err)"
down

# ---- A client that dials on data ----
server_options='' client_options='--dial-on data --control c'
chmod 700 .
up "$target"
"$PYTHON" - "$plain" <<'END'
import socket, sys
for _ in range(5):
    socket.create_connection(("127.0.0.1", int(sys.argv[1].rsplit(":")[1]))).close()
END
taken() {
    duet ctl --control c metrics >out
    grep -q 'accepted_total{tunnel="client"} 5$' out && grep -q 'connections_open{tunnel="client"} 0$' out
}
wait_until taken || bad "health checks stay: $(cat out)"
peer both "$plain" 1 || bad "one that sends"
down
[ "$(grep -c outcome client.err)" -eq 1 ] || bad "health checks are logged: $(cat client.err)"
[ "$(grep -c outcome server.err)" -eq 1 ] || bad "health checks dial: $(cat server.err)"
done_testing
