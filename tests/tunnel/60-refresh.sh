#!/bin/sh
# Refresh by policy in a tunnel: either end asks after so many bytes, and `duet ctl sessions` counts.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
chmod 700 .

target echo echo
server_options='--control ctl' client_options='--refresh-bytes 50k'
for side in client server; do
    [ $side = client ] || server_options='--control ctl --refresh-bytes 50k' client_options=''
    up "$target"
    cat >move.py <<'END'
import json, socket, subprocess, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((host, int(port)))
piece = bytes(range(256)) * 40
for _ in range(60):
    s.sendall(piece)
    got = b""
    while len(got) < len(piece):
        got += s.recv(len(piece) - len(got))
    assert got == piece
rows = subprocess.run([sys.argv[2], "ctl", "--control", "ctl", "--json", "sessions"], capture_output=True, check=True)
print([json.loads(row)["refreshes"] for row in rows.stdout.splitlines()])
s.close()
END
    "$PYTHON" move.py "$plain" "$DUET" >moved || bad "$side: the tunnel changed or lost something"
    grep -q '^\[[1-9][0-9]*\]$' moved || bad "$side asks: refreshes are $(cat moved)"
    down
done
done_testing
