#!/bin/sh
# Under systemd a service takes its socket by name and its key as a credential, and notifies when it
# is ready, reloads, is alive and stops; with workers the supervisor does so.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
mkdir credentials
mv k credentials/secret
chmod 644 credentials/secret # who may read it is systemd's matter
target echo echo

# lives COUNT: so many signs of life were sent
lives() {
    [ "$(grep -c '^WATCHDOG=1' systemd.out)" -ge "$1" ]
}

for workers in 1 2; do
    next_port
    wire=127.0.0.1:$port
    next_port
    plain=127.0.0.1:$port
    rm -f notify
    cat >server.conf <<END
[Global]
workers = $workers
[Tunnel web]
side = server
listen = systemd:web
target = $target
key = credential:secret
END
    start systemd "$PYTHON" "$(dirname "$peer")/ends.py" systemd "$work" "$wire" "$DUET" run -c server.conf
    install -m 600 credentials/secret k
    start client "$DUET" client -v -k k --listen "$plain" --target "$wire"
    listening client
    soon '^READY=1' systemd.out
    peer both "$plain" 1 || bad "nothing goes through the socket that was passed"
    soon '^WATCHDOG=1' systemd.out
    wait_until lives 4 || bad "signs of life: $(cat systemd.out)"
    kill -HUP "$(pid systemd)"
    soon '^RELOADING=1 MONOTONIC_USEC=[0-9][0-9]*$' systemd.out
    soon 'reloaded' systemd.err
    peer both "$plain" 1 || bad "nothing goes through after a reload"
    kill -TERM "$(pid systemd)"
    soon '^STOPPING=1' systemd.out
    soon '^exit 0$' systemd.out
    ended systemd 0
    stop client
    grep -v WATCHDOG systemd.out | cut -d' ' -f1 | tr '\n' ' ' >sequence
    says '^READY=1 RELOADING=1 READY=1 STOPPING=1 exit $' sequence
done

# ---- A socket that was given up is not looked up again by its number ----
cat >pass.py <<'END'
import os, socket, sys

for number, address in ((3, sys.argv[1]), (4, sys.argv[2])):
    host, port = address.rsplit(":", 1)
    s = socket.create_server((host, int(port)))
    os.dup2(s.fileno(), number)  # what is open at 3 and 4 is this script's: nothing needs it
os.set_inheritable(3, True)
os.set_inheritable(4, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="a:b")
os.execv(sys.argv[3], sys.argv[3:])
END
tunnels() {
    for name; do
        printf '[Tunnel %s]\nside = server\nlisten = %s\ntarget = %s\nkey = k\n' \
            "${name#*:}" "$name" "$target"
    done
}
answers() {
    duet ping -k k "$second" >/dev/null
}
install -m 600 credentials/secret k
for b in systemd:b fd:4; do
    next_port
    wire=127.0.0.1:$port
    next_port
    second=127.0.0.1:$port
    next_port
    plain=127.0.0.1:$port
    tunnels systemd:a $b >passed.conf
    start passed "$PYTHON" pass.py "$wire" "$second" "$DUET" run -v -c passed.conf
    start client "$DUET" client -v -k k --listen "$plain" --target "$wire"
    listening client
    wait_until answers || bad "$b is not served at the start"
    tunnels systemd:a >passed.conf
    kill -HUP "$(pid passed)"
    soon 'reloaded: new' passed.err
    held 3 # one of their descriptors has the number that b had
    tunnels systemd:a $b >passed.conf
    kill -HUP "$(pid passed)"
    soon 'taken over at the start only' passed.err
    soon 'not reloaded' passed.err
    release || bad "$b: a connection was cut: $(cat passed.err)"
    peer both "$plain" 2 4 || bad "$b: nothing more is served: $(cat passed.err)"
    stop client
    stop passed
done

# ---- Without systemd the message says what to do ----
install -m 600 credentials/secret k
expect 3 'was not started by a systemd socket' duet server -k k --listen systemd:web --target "$target"
duet server -k credential:k --listen :1 --target "$target" 2>err
[ $? -eq 2 ] || bad "a credential without systemd: $(cat err)"
says 'credential:k: systemd gave this process no credentials' err
done_testing
