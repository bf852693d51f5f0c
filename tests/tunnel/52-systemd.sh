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

# ---- Without systemd the message says what to do ----
install -m 600 credentials/secret k
expect 3 'was not started by a systemd socket' duet server -k k --listen systemd:web --target "$target"
duet server -k credential:k --listen :1 --target "$target" 2>err
[ $? -eq 2 ] || bad "a credential without systemd: $(cat err)"
says 'credential:k: systemd gave this process no credentials' err
done_testing
