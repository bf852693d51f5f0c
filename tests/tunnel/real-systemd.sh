#!/bin/sh
# A server as examples/systemd/ has it: the port is passed, the key is a credential, readiness, reload
# and watchdog are notified; by systemd-socket-activate, which does for one process what systemd does.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
needs systemd-socket-activate "${PYTHON:=python3}"
serve_load
mkdir credentials
"$DUET" keygen -q -o credentials/secret.key >/dev/null
cp credentials/secret.key key
chmod 440 credentials/secret.key # refused of any other file
sed -e "s#127.0.0.1:5432#$service#" -e "s#/run/duet#$work#" "$here/../../examples/systemd/duet.conf" >duet.conf

# receives the notifications of the service
cat >notified.py <<'END'
import os, socket, sys
inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
inbox.bind("notify")
inbox.settimeout(100)
while True:
    print(inbox.recv(4096).decode().replace("\n", " "), flush=True)
END
"$PYTHON" notified.py >notified & started="$started $!"
sleep 0.5
fresh_port far
launch env NOTIFY_SOCKET="$work/notify" WATCHDOG_USEC=2000000 CREDENTIALS_DIRECTORY="$work/credentials" \
    systemd-socket-activate -l "$far" --fdname=tunnel -E NOTIFY_SOCKET -E WATCHDOG_USEC \
    -E CREDENTIALS_DIRECTORY "$DUET" run -c duet.conf
server=$pid
await "$far"
fresh_port near
launch "$DUET" client -k key --listen "$near" --target "$far"
await "$near"
timeout 60 "$load" steady "$near" 10 20000 3 10 >answer
undisturbed "through a port that was passed"
says 'READY=1' notified
says 'WATCHDOG=1' notified
timeout 10 "$DUET" ctl --control "$work/control" health >out || bad "health: $(cat out)"
kill -HUP "$server"
sleep 0.5
says 'RELOADING=1' notified
timeout 60 "$load" steady "$near" 10 20000 1 10 >answer
undisturbed "after a reload"
kill "$server"
wait "$server" || bad "the server ends with $?"
says 'STOPPING=1' notified
done_testing
