#!/bin/sh
# HTTP for monitoring: metrics, life and readiness, by curl and by a client that sends what curl does
# not; with one process and with workers; over reloads; on loopback or a Unix socket alone.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
command -v curl >/dev/null || {
    echo "skipped: curl is not installed"
    exit 77
}
raw="$PYTHON $(dirname "$peer")/http_client.py"

# get PATH [OPTION...]: leaves the body in `body`, the head in `head`; prints the status
get() {
    path=$1
    shift
    curl -s -m 100 -o body -D head -w '%{http_code}' "$@" "http://127.0.0.1:$http$path"
}

# answers STATUS PATH [OPTION...]
answers() {
    wanted=$1
    shift
    [ "$(get "$@")" = "$wanted" ]
}

# configure WORKERS [SETTING...]: a server with a health check, and lines for its whole process
configure() {
    printf '[Global]\nworkers = %s\n' "$1"
    shift
    for setting; do
        echo "$setting"
    done
    printf '[Tunnel web]\nside = server\ndrain-timeout = 1-1\nlisten = %s\ntarget = %s\nkey = k\n' "$wire" "$target"
    echo 'health-interval = 0.3'
}

target echo echo
next_port
wire=127.0.0.1:$port
next_port
http=$port

for workers in 1 3; do
    configure $workers "http = 127.0.0.1:$http" "http = unix:mon" >conf
    start server "$DUET" run -v -c conf
    listening server
    says "http: listening on 127.0.0.1:$http" server.err
    wait_until answers 200 /readyz || bad "$workers: not ready: $(cat body server.err)"
    says '^ready$' body

    # ---- What there is ----
    duet ping -k k "$wire" >/dev/null || bad "$workers: ping"
    answers 200 /healthz || bad "$workers: healthz"
    says '^alive$' body
    answers 200 /metrics || bad "$workers: metrics"
    says '^duet_connections_accepted_total{tunnel="web"} 1$' body
    [ "$(grep -c '^duet_worker_up{worker="[0-9]"} 1$' body)" -eq $workers ] || bad "workers: $(cat body)"
    grep -qi '^content-type: text/plain; version=0.0.4; charset=utf-8' head || bad "type: $(cat head)"
    answers 200 /metrics -I || bad "$workers: HEAD"
    [ "$(curl -s -m 100 --unix-socket mon http://any.name/healthz)" = alive ] || bad "$workers: Unix socket"
    answers 403 /metrics -H 'Host: example.org' || bad "$workers: a foreign name"
    [ ! -s body ] || ! grep -q duet_ body || bad "$workers: metrics for a foreign name"
    answers 405 /metrics -d x || bad "$workers: POST"
    answers 404 / || bad "$workers: nowhere"
    for what in refusals truncations slow; do
        $raw $http $what || bad "$workers: $what"
    done
    $raw $http flood $workers || bad "$workers: flood"
    duet ping -k k "$wire" >/dev/null || bad "$workers: not served any more"
    alive=$(curl -s -m 100 "http://127.0.0.1:${wire#*:}/healthz")
    [ -z "$alive" ] || bad "HTTP at the tunnel's address: $alive"
    duet ping -k k --handshake-timeout 2 "127.0.0.1:$http" >/dev/null 2>&1 && bad "duet at HTTP's address"

    # ---- Not ready while no target answers ----
    kill "$(cat echo.pid)"
    wait_until answers 503 /readyz || bad "$workers: ready without a target"
    says 'the tunnel web has no target that answers its health check$' body
    answers 200 /healthz || bad "$workers: a dead target kills nobody"
    start echo "$PYTHON" "$peer" echo "$target"
    listening echo
    wait_until answers 200 /readyz || bad "$workers: not ready again: $(cat body)"

    # ---- A reload moves it, takes it away, brings it back ----
    first=$http
    next_port
    http=$port
    configure $workers "http = 127.0.0.1:$http" >conf
    kill -HUP "$(pid server)"
    wait_until answers 200 /readyz || bad "$workers: not moved: $(cat server.err)"
    gone() {
        ! curl -s -m 100 -o /dev/null "http://127.0.0.1:$1/healthz"
    }
    wait_until gone $first || bad "$workers: both are served"
    configure $workers >conf
    kill -HUP "$(pid server)"
    wait_until gone $http || bad "$workers: served though no setting is left"
    configure $workers "http = 127.0.0.1:$http" >conf
    kill -HUP "$(pid server)"
    wait_until answers 200 /healthz || bad "$workers: not back: $(cat server.err)"

    # ---- The death of a worker ----
    if [ $workers -gt 1 ]; then
        victim=$(pgrep -P "$(pid server)" | head -1)
        kill -KILL "$victim"
        soon 'died of signal 9' server.err
        wait_until answers 200 /readyz || bad "not ready again: $(cat body server.err)"
    fi

    stop server
    [ ! -e mon ] || bad "$workers: the socket's file is left"
done

# ---- A server that dials, and its other end ----
next_port
await=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
start server "$DUET" server -v -k k --dial "$await" --target "$target" --http "127.0.0.1:$http"
soon 'http: listening' server.err
wait_until answers 503 /readyz || bad "ready though nobody is reached"
says 'the tunnel server has reached no other end that it dials' body
start client "$DUET" client -v -k k --listen "$plain" --await "$await"
listening client
wait_until answers 200 /readyz || bad "not ready: $(cat body)"
down

# ---- It is opened before root is given up: nobody could make a file in this folder ----
if [ "$(id -u)" -eq 0 ]; then
    for workers in 1 2; do
        rm -f mon
        start server "$DUET" server -v -k k --workers $workers --listen "$wire" --target "$target" --user nobody \
            --http unix:mon
        soon 'http: listening' server.err
        [ "$(curl -s -m 100 --unix-socket mon http://localhost/healthz)" = alive ] ||
            bad "$workers: not opened as root: $(cat server.err)"
        stop server
    done
else
    without tunnel/46-http "root is not there to be given up"
fi

# ---- Where it may listen ----
expect 2 'http: 0.0.0.0:0 can be reached from other machines.*--unsafe-http' \
    duet server -k k --listen 127.0.0.1:0 --target "$target" --http 0.0.0.0:0
expect 2 'the tunnel server listens there' \
    duet server -k k --listen "$wire" --target "$target" --http "$wire"
expect 2 'is also where' duet server -k k --listen "$wire" --target "$target" --http "localhost:${wire#*:}"
start server "$DUET" server -v -k k --listen "$wire" --target "$target" --http "0.0.0.0:$http" --unsafe-http
soon 'http: listening' server.err
wait_until answers 200 /healthz || bad "unsafe-http: $(cat server.err)"
stop server
done_testing
