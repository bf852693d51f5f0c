# What the scripts here share beside tests/cli/common.sh: plain programs at both ends of a tunnel
# (peer.py), and a server and a client between them.
peer="$(cd "$(dirname "$0")" && pwd)/peer.py"
# shellcheck source=../cli/common.sh
. "$(dirname "$0")/../cli/common.sh"
needs_python
server_options='' client_options=''
duet keygen -o k >/dev/null

peer() {
    timeout 400 "$PYTHON" "$peer" "$@"
}

# target NAME KIND [ADDRESS]: a plain server of peer.py's; $target is its address.
target() {
    next_port
    target=${3:-127.0.0.1:$port}
    start "$1" "$PYTHON" "$peer" "$2" "$target"
    listening "$1"
}

# up TARGET [PLAIN]: a server before the target and a client before the server; $plain is the
# client's address, $wire the server's.
up() {
    next_port
    wire=127.0.0.1:$port
    next_port
    plain=${2:-127.0.0.1:$port}
    # shellcheck disable=SC2086
    start server "$DUET" server -v -k k --listen $wire --target "$1" $server_options
    # shellcheck disable=SC2086
    start client "$DUET" client -v -k k --listen "$plain" --target $wire $client_options
    listening server
    listening client
}

# pid NAME: of what start() started.
pid() {
    pgrep -P "$(cat "$1.pid")"
}

# stop NAME: by SIGTERM, which must end it well.
stop() {
    kill -TERM "$(pid "$1")" 2>/dev/null
    ended "$1" 0
}

down() {
    stop client
    stop server
}

# held [COUNT]: so many connections that are open until `release`; $holding is the program at them.
held() {
    rm -f hold.out released
    peer hold "$plain" released "$@" >hold.out 2>hold.err &
    holding=$!
    soon held hold.out
}

# release: they end, each with one more echo; succeeds when all were still open.
release() {
    : >released
    wait $holding
}
