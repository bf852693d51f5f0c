#!/bin/sh
# A cut reaches the other side as a cut, never as an orderly end.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# by the target, by the client
target cutter cutter
up "$target"
[ "$(peer be_cut "$plain")" = reset ] || bad "the target's cut"
soon 'outcome cut: the plain side was cut' server.err
soon 'outcome cut: ' client.err
down
target witness witness
up "$target"
peer cut "$plain"
soon reset witness.out
soon 'outcome cut: the plain side was cut' client.err
down

# by the death of either end of the tunnel
for victim in server client; do
    rm -f out
    target echo echo
    target witness witness
    [ $victim = server ] && up "$(sed -n 's/listening on //p' echo.err)" || up "$target"
    if [ $victim = server ]; then
        peer wait_end "$plain" 100 >out &
    else
        peer linger "$plain" over >out &
    fi
    waiting=$!
    soon begun out
    kill -KILL "$(pid $victim)"
    if [ $victim = server ]; then
        wait $waiting
        says reset out
        stop client
    else
        soon reset witness.out
        soon 'outcome cut: ' server.err
        stop server
        : >over
        wait $waiting
    fi
done

# what was altered on the way: both sides are cut, and the cause is logged
target echo echo
next_port
tampered=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
next_port
start server "$DUET" server -v -k k --listen 127.0.0.1:$port --target "$target"
start tamper "$PYTHON" "$peer" tamper "$tampered" "127.0.0.1:$port"
start client "$DUET" client -v -k k --listen "$plain" --target "$tampered"
listening server
listening tamper
listening client
[ "$(peer be_cut "$plain")" = reset ] || bad "altered bytes"
soon 'outcome cut: .*MAC\|outcome cut: .*checksum' server.err
down

# ---- What is none ----

# served KIND: a server before a target of peer.py's
served() {
    target $1 $1
    next_port
    wire=127.0.0.1:$port
    start server "$DUET" server -v -k k --listen $wire --target "$target"
    listening server
}

# hung_up: a program that ends as ssh does: its last bytes, their end, and SIGHUP for its ProxyCommand
hung_up() {
    timeout 300 "$PYTHON" -c 'import signal, subprocess, sys
pipe = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
pipe.stdin.write(b"x" * 1000)
pipe.stdin.flush()
pipe.stdout.read(1)
pipe.stdin.write(b"x" * 60000)
pipe.stdin.close()
pipe.stdout.close()
pipe.send_signal(signal.SIGHUP)
pipe.wait()' "$DUET" pipe -q -k k "$wire"
}

served witness
for _ in 1 2 3 4 5; do
    hung_up
done
ends() {
    [ "$(grep -c 'end 61000' witness.out)" -eq 5 ] && [ "$(grep -c 'outcome done' server.err)" -eq 5 ]
}
wait_until ends || bad "a program that hung up: $(cat witness.out server.err)"
stop server

# a ping: at a target that speaks first, at one that waits for an end, and at one that does nothing
for kind in early echo silent; do
    served $kind
    duet ping -k k $wire >/dev/null || bad "ping before $kind"
    soon 'outcome' server.err
    says 'outcome done' server.err
    stop server
done

# what comes for a peer that has gone is lost: that is a cut
served sleeper
head -c 1000 /dev/zero | duet pipe -q -k k --idle-timeout 1 $wire >/dev/null 2>&1
soon 'outcome cut: the peer went away before' server.err
stop server
done_testing
