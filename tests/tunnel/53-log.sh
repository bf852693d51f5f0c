#!/bin/sh
# Goal: the log has one line for each connection, in each format, with what it was and why it ended;
# never a secret; and a log that nobody reads stops no connection.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo
secret=$(sed -n 's/^Secret = //p' k)
id=$(sed -n 's/^Id = //p' k)
duet keygen -o other >/dev/null

# finished COUNT: so many connections of the server are done
finished() {
    [ "$(grep -c 'outcome[ =": ]*done' server.err)" -ge "$1" ]
}

# ---- What a line says, in each format ----
for format in text logfmt json; do
    server_options="--log-format $format --max-from-source 1 --drain-timeout 0.2-0.2"
    client_options="--log-format $format --timeout 1"
    up "$target"
    peer both "$plain" 1
    held
    "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', ${wire#*:})).recv(1)" 2>/dev/null ||
        : # one too many from one source
    release || bad "the one that was open"
    soon 'outcome.*done.*' server.err
    wait_until finished 2 || bad "two connections are not done: $(cat server.err)"
    duet ping -k other --handshake-timeout 2 "$wire" >/dev/null 2>&1 # an unauthenticated peer
    soon 'stranger' server.err
    stop server
    peer both "$plain" 0 2>/dev/null # nobody is there
    stop client
    cat server.err client.err >log
    grep -q -F "$secret" log && bad "$format: a secret is in the log"
    case $format in
    text)
        says "^20[0-9T:.-]*Z tunnel server, id 1, from 127.0.0.1:[0-9]*, target $target, secret $id, bytes_in 1048576, bytes_out 1048576, seconds [0-9.]*, setup [0-9.]*,.* outcome done: ." server.err
        says 'outcome refused: ' server.err
        says 'outcome stranger: ' server.err
        says 'outcome \(unreached\|refused\): .*Connection refused' client.err
        ;;
    logfmt)
        says "^time=20[0-9T:.-]*Z level=info event=connection tunnel=server id=1 from=127.0.0.1:[0-9]* target=$target secret=$id bytes_in=1048576 .* outcome=done reason=" server.err
        says 'level=warning event=connection .* outcome=refused reason=' server.err
        says 'outcome=stranger reason=' server.err
        ;;
    json)
        "$PYTHON" - <<'END' || bad "json: $(cat log)"
import json
lines = [json.loads(line) for line in open("server.err")]
outcomes = [line["outcome"] for line in lines if line.get("event") == "connection"]
assert outcomes.count("done") == 2 and outcomes.count("refused") == 1 and outcomes.count("stranger") == 1, outcomes
END
        ;;
    esac
done

# ---- Quiet: no line for a connection ----
server_options=-q client_options=-q
next_port
wire=127.0.0.1:$port
next_port
start server "$DUET" server -q -k k --listen "$wire" --target "$target"
start client "$DUET" client -v -k k --listen "127.0.0.1:$port" --target "$wire"
listening client
peer both "127.0.0.1:$port" 0
down
[ ! -s server.err ] || bad "quiet, it said: $(cat server.err)"

# ---- Nobody reads the log ----
mkfifo pipe
next_port
wire=127.0.0.1:$port
next_port
hold_open <pipe & # it holds the pipe open, and reads nothing
children="$children $!"
"$DUET" server -v -k k --listen "$wire" --target "$target" 2>pipe &
stuck=$!
children="$children $stuck"
start client "$DUET" client -v -k k --listen "127.0.0.1:$port" --target "$wire"
listening client
for _ in 1 2 3 4; do
    peer both "127.0.0.1:$port" 0 100 || bad "a full pipe stops connections"
done
peer both "127.0.0.1:$port" 1 || bad "a full pipe stops a connection"
kill -TERM $stuck
wait $stuck || bad "a full pipe stops the end: $?"
stop client
done_testing
