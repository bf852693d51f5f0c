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
done_testing
