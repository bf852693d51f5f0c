#!/bin/sh
# No example leaves its secret in memory when it ends, in order or by an error.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# WATCH names tests/memory/watch.c, built; it is not with sanitizers.
[ -n "${WATCH:-}" ] && [ "$(id -u)" -eq 0 ] || {
    echo "only root may look into a process at its end"
    exit 77
}
sed -n '/^Secret = /,$p' k | sed 's/.* //' | grep -v '^$' >digits
{
    base64 -d <digits
    tr -d '\n=' <digits
} >needles
echo hello >mine

# wiped NAME: the search at its end found nothing.
wiped() {
    grep -q '^exit 0$' "$1.out" || bad "no search: $1 ($(cat "$1.err"))"
    if grep -q '^exit [1-9]' "$1.out"; then bad "left in memory by $1"; fi
}

# watched NAME CODE ARGUMENT...: runs it to its end.
watched() {
    program=$1 code=$2
    shift 2
    timeout 300 "$WATCH" needles -- "$EXAMPLES/example_$program" "$@" >"$program.out" 2>"$program.err" <mine
    got=$?
    [ $got -eq "$code" ] || bad "exit $got, not $code: $program ($(cat "$program.err"))"
    wiped "$program"
}

# serving NAME ARGUMENT...: in the background.
serving() {
    server=$1
    shift
    start "$server" "$WATCH" needles -- "$EXAMPLES/example_$server" "$@"
    accepts $port
}

# told NAME SIGNAL: a signal for the program itself, below timeout and watch.
told() {
    for pid in $(pgrep -P "$(cat "$1.pid")"); do
        pkill "-$2" -P "$pid"
    done
}

watched sans_io 0 k
watched echo_client 1 k 127.0.0.1 1
for one in echo_server epoll_server libuv_server libevent_server; do
    has $one || continue
    next_port
    serving $one k $port
    watched echo_client 0 k 127.0.0.1 $port
    told $one WINCH # the control: as it runs, the secret is there
    wait_until grep -q '^midway [1-9]' $one.out || bad "$one does not hold its secret as it runs"
    told $one TERM
    ended $one 0
    wiped $one
done
for one in requests preset poll_pipe; do
    next_port
    serving $one k listen $port
    timeout 300 "$EXAMPLES/example_$one" k connect 127.0.0.1 $port reverse x <mine >/dev/null 2>connect.err ||
        bad "$one: $(cat connect.err)"
    ended $one 0
    wiped $one
done
done_testing
