#!/bin/sh
# A reload while a server's connections wait, or are on their way through a proxy: what belonged to the
# old configuration is used no more (the address sanitizer's build would report it).
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
chmod 700 .
target echo echo
next_port
await=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
next_port
proxy=127.0.0.1:$port
cat >mute.py <<'END'
"""A SOCKS proxy that answers the first peers only once the file `answer` is there, and then not well."""
import os, socket, sys, threading, time
host, port = sys.argv[1].rsplit(":", 1)
server = socket.create_server((host, int(port)))
print("listening on", sys.argv[1], file=sys.stderr, flush=True)
def one(s):
    s.recv(1000)
    open("asked", "w").close()
    while not os.path.exists("answer"):
        time.sleep(0.02)
    try:
        s.sendall(b"\5\2")
        s.recv(1000)
        s.sendall(b"\1\0")
        time.sleep(1)
    except OSError:
        pass
    s.close()
while True:
    threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()
END
start proxy "$PYTHON" mute.py "$proxy"
listening proxy
printf 'bob\nhunter2\n' >credentials
chmod 600 credentials
cat >server.conf <<END
[Global]
control = ctl
[Tunnel s]
side = server
dial = $await
target = $target
key = k
END
cp server.conf direct.conf
printf 'proxy = socks5://%s\nproxy-auth = credentials\n' "$proxy" >>server.conf

ctl_sessions() {
    duet ctl --control ctl --json sessions
}

reloads() {
    [ "$(grep -c 'reloaded: new connections have' server.err)" -ge "$1" ]
}

start client "$DUET" client -v -k k --listen "$plain" --await "$await"
listening client
start server "$DUET" run -v -c server.conf
exists asked
cp direct.conf next.conf && mv next.conf server.conf # the proxy and its credentials go
kill -HUP "$(pid server)"
wait_until reloads 1 || bad "no reload: $(cat server.err)"
: >answer
peer both "$plain" 1 || bad "nothing goes through after the proxy was taken out: $(cat server.err)"

# the pool's connections wait on, and are shown with their address
for turn in 2 3; do
    kill -HUP "$(pid server)"
    wait_until reloads $turn || bad "no reload $turn: $(cat server.err)"
    expect 0 '' ctl_sessions
    says "\"target\": *\"$await\"" out
    peer both "$plain" 1 || bad "nothing goes through after reload $turn"
done
stop server
stop client
done_testing
