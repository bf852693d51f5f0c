#!/bin/sh
# duet ctl shows and controls a running service, one process or several; its socket belongs to the
# owner alone, and a socket that a dead process left is replaced.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
chmod 700 .

ctl() {
    duet ctl --control ctl "$@"
}

# serving WORKERS: a server with a control socket, and a client before it.
serving() {
    next_port
    wire=127.0.0.1:$port
    next_port
    plain=127.0.0.1:$port
    cat >server.conf <<END
[Global]
workers = $1
control = ctl
shutdown-timeout = 100
metrics-file = m.prom
metrics-interval = 0.2
[Tunnel web]
side = server
listen = $wire
target = $target
key = k
drain-timeout = 1-1
END
    start server "$DUET" run -v -c server.conf
    start client "$DUET" client -v -k k --listen "$plain" --target "$wire"
    listening server
    listening client
    wait_until ctl health >/dev/null
}

# shows NUMBER TEXT REQUEST: the answer to a request has so many lines with the text
shows() {
    [ "$(ctl "$3" 2>/dev/null | grep -c "$2")" -eq "$1" ]
}

target echo echo

# ---- Nobody there ----
expect 3 'does the service run' ctl status
expect 2 'it is one of status|sessions' ctl something
for request in kill 'kill abc' 'kill -1' 'status 3'; do
    # shellcheck disable=SC2086
    expect 2 "ctl $request: kill needs the ID of a connection" ctl -- $request
done

for workers in 1 3; do
    serving $workers
    expect 0 '' ctl health
    [ "$(grep -c 'serving$' out)" -eq $workers ] || bad "health of $workers: $(cat out)"
    [ $workers -eq 1 ] || says '^worker 2 of 3: serving$' out

    # ---- A connection is seen, and cut ----
    rm -f how
    peer wait_end "$plain" 200 >how &
    waiter=$!
    soon begun how
    expect 0 '' ctl sessions
    [ "$(wc -l <out)" -eq 2 ] || bad "not one session: $(cat out)"
    says "web  *open  *127.0.0.1:[0-9]* *$target  *$(duet key show k | sed -n 's/.*\([0-9a-f]\{16\}\).*/\1/p' | head -1)" out
    id=$(sed -n 's/^\([0-9][0-9]*\) .*/\1/p' out)
    expect 0 '' ctl --json sessions
    "$PYTHON" -c 'import json, sys
s = [json.loads(line) for line in sys.stdin]
assert len(s) == 1 and s[0]["tunnel"] == "web" and s[0]["bytes_in"] == 1, s' <out ||
        bad "sessions as JSON: $(cat out)"
    expect 0 '' ctl status
    says "^web  *server  *1 .* $target\$" out
    [ "$(grep -c '^worker [0-9] of '$workers': pid [0-9]*, serving for' out)" -eq $workers ] ||
        bad "status of $workers: $(cat out)"
    expect 1 'no connection of this number' ctl kill 123456789
    expect 0 '' ctl kill "$id"
    wait $waiter
    says '^reset' how
    soon 'outcome cut: ended by duet ctl kill' server.err

    # ---- Metrics, asked for and in the file ----
    expect 0 '' ctl metrics
    says '^duet_connections_failed_total{tunnel="web"} 1$' out
    says '^duet_connections_open{tunnel="web"} 0$' out
    [ "$(grep -c '^duet_worker_up{worker="[0-9]"} 1$' out)" -eq $workers ] || bad "workers: $(cat out)"
    soon '^duet_connections_failed_total{tunnel="web"} 1$' m.prom

    # ---- Reload ----
    echo 'colour = red' >>server.conf
    expect 2 'the old configuration stays' ctl reload
    soon 'colour: no such setting' server.err
    peer both "$plain" 1 || bad "a bad reload did harm"
    sed -i -e '/colour/d' server.conf
    cp server.conf good.conf
    sed "/Global/,/metrics-interval/d;s/web/taken/;s/^listen = .*/listen = $target/" good.conf >>server.conf
    expect 3 'the old configuration stays' ctl reload
    soon "cannot listen on $target" server.err
    mv good.conf server.conf
    sed -i -e 's/web/other/' server.conf
    expect 0 '' ctl reload
    soon 'other: listening on\|reloaded' server.err
    wait_until shows 1 '^other ' status
    peer both "$plain" 1 || bad "nothing goes through after a reload"

    # ---- A socket's file that was removed is made anew by a reload ----
    rm ctl*
    kill -HUP "$(pid server)"
    soon 'control socket ctl[.0-9]*: its file was removed, and is made anew' server.err
    wait_until shows $workers 'serving$' health || bad "the sockets are not back: $(cat server.err)"

    # ---- Drain: the open one may end by itself, and nothing new comes ----
    held
    expect 0 '' ctl drain
    wait_until shows 0 'serving' health
    expect 1 '' ctl health
    says 'draining$' out
    release || bad "one was open while the service drained"
    says 'all echo' hold.out
    ended server 0
    stop client
    ls ctl* >left 2>/dev/null && bad "sockets are left: $(cat left)"
done

# ---- What may lie at the socket's place ----
serving 1
[ "$(stat -c %a ctl)" = 600 ] || bad "mode $(stat -c %a ctl)"
next_port
sed "s/^listen = .*/listen = 127.0.0.1:$port/" server.conf >second.conf
expect 9 'another process serves it' duet run -c second.conf
kill -KILL "$(pid server)"
wait_until test -s server.code
ctl health >out 2>err
[ $? -eq 3 ] || bad "a dead service's health: $(cat out err)"
says 'ctl: no process serves it now' err
stop client
serving 1
expect 0 '' ctl health
down
for workers in 1 3; do
    sed "s/^workers = .*/workers = $workers/" server.conf >other.conf
    chmod 770 .
    expect 11 'others may write in' duet run -c other.conf
    chmod 700 .
done

: >ctl
expect 9 'something else is there' duet run -c server.conf
rm ctl

# ---- A worker that is started anew has the socket that the others have, or none, and serves ----
serving 3
sed -i 's,^control = .*,control = nowhere/ctl,' server.conf
expect 0 '' ctl reload
soon 'reloaded' server.err
killed() {
    kill -KILL "$(sed -n "s/^worker $1 of 3: pid \([0-9]*\),.*/\1/p" crew)"
    soon "worker $1 died of signal 9" server.err
}
ctl status >crew
killed 1
wait_until shows 3 serving health
expect 0 '' ctl health
chmod 770 .
killed 2
soon 'worker 2: duet ctl cannot reach it' server.err
ctl health >out 2>err
[ $? -eq 3 ] || bad "health where one has no socket: $(cat out err)"
rm -f ctl.2
expect 1 '1 of 3 workers have no control socket' ctl health
[ "$(grep -c serving out)" -eq 2 ] || bad "health: $(cat out)"
chmod 700 .
peer both "$plain" 1 6 || bad "workers without a control socket"
[ "$(grep -c 'worker 2 died' server.err)" -eq 1 ] || bad "it died again: $(cat server.err)"

# ---- What a dead worker had open is not counted ----
start lingering "$PYTHON" "$peer" linger "$plain" 300
soon begun lingering.out
soon '^duet_connections_open{tunnel="web"} 1$' m.prom
# shellcheck disable=SC2046
kill -KILL $(pgrep -P "$(pid server)")
soon '^duet_connections_open{tunnel="web"} 0$' m.prom
kill "$(pid lingering)"
down

# reloads NUMBER: so many processes have the new configuration
reloads() {
    [ "$(grep -c 'reloaded: new connections have' server.err)" -ge "$1" ]
}

# ---- A kept address may not be exposed by a reload, by a worker or by the supervisor ----
for workers in 1 3; do
    serving $workers
    next_port
    printf '[Tunnel far]\nside = client\nlisten = :%s\ntarget = %s\nkey = k\n' $port "$wire" >>server.conf
    cp server.conf exposed.conf
    echo 'unsafe-listen = yes' >>server.conf
    expect 0 '' ctl reload # each worker opens it
    wait_until reloads "$workers" || bad "not every worker has read it: $(cat server.err)"
    cp exposed.conf server.conf
    expect 2 'the old configuration stays' ctl reload
    soon "listen on 127.0.0.1, or use unsafe-listen" server.err
    echo 'unsafe-listen = yes' >>server.conf
    down
    start server "$DUET" run -v -c server.conf # the supervisor does
    soon "far: listening on" server.err
    cp exposed.conf server.conf
    expect 2 'the old configuration stays' ctl reload
    kill -HUP "$(pid server)"
    soon 'not reloaded' server.err
    [ "$(grep -c 'not reloaded' server.err)" -eq 1 ] || [ $workers -eq 1 ] ||
        bad "a worker logged it as well: $(cat server.err)"
    down
done

# ---- What services of another number of workers left is not asked any more ----
for workers in 3 1 3; do
    serving $workers
    expect 0 '' ctl health
    [ "$(grep -c serving out)" -eq $workers ] || bad "health of $workers: $(cat out)"
    # shellcheck disable=SC2046
    kill -KILL $(pgrep -P "$(pid server)") "$(pid server)" 2>/dev/null
    stop client
done
done_testing
