#!/bin/sh
# duet probe finds what gives a listener or a client away, each of several planted faults, and finds
# nothing at duet's own. What a busy machine may hide is looked for several times; what it must never
# make up is not: a finding at duet's own fails at once.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
needs_python
duet keygen -q -o k >/dev/null

probe() {
    duet probe -q --timeout 20 --parallel 300 "$@"
}

# faulty NAME FAULT [FILE]: start a listener with this fault; $at is its port.
faulty() {
    start "$1" "$PYTHON" "$here/probe_faults.py" "$2" ${3:+"$3"}
    listening "$1"
    at=$(sed -n 's/^listening on //p' "$1.err")
}

# is_busy: a processor that is ours alone would do this in two thirds of the time.
is_busy() {
    "$PYTHON" -c 'import sys, time
begin, used = time.monotonic(), time.process_time()
while time.process_time() - used < 0.5:
    pass
sys.exit(0 if time.monotonic() - begin > 0.75 else 1)'
}

# finds CODE FINDING COMMAND...: the probe exits with CODE, and reports FINDING as JSON. Other load
# can hide a planted time from it, each time that it tries.
finds() {
    code=$1 finding=$2 busy=0
    shift 2
    for _ in 1 2 3 4 5 6; do
        probe --json "$@" >out 2>err
        got=$?
        [ $got -ne "$code" ] || break
        ! is_busy || busy=$((busy + 1))
    done
    if [ $busy -ge 3 ] && [ $got -ne "$code" ]; then
        without "the finding '$finding'" "this machine is busy with something else"
        return 1
    fi
    [ $got -eq "$code" ] || bad "exit $got, not $code: probe $* ($(cat err) $(cat out))"
    "$PYTHON" -c 'import json, sys
report = json.load(open("out"))
sys.exit(0 if any(f["finding"] == sys.argv[1] and f["detail"] for f in report["findings"]) else 1)' \
        "$finding" || bad "no finding '$finding': probe $* ($(cat out))"
}

# clean COMMAND...: nothing is found.
clean() {
    probe "$@" >out 2>err || bad "exit $?: probe $* ($(cat err) $(cat out))"
    says "^nothing found" out
}

# The flight that replays are made of, and that one listener answers each time.
faulty record record flight
duet ping -q -k k --handshake-timeout 5 --linger 0-0 127.0.0.1:$at >/dev/null 2>&1
exists flight

faulty banner banner
finds 13 answer --tries 4 127.0.0.1:$at
faulty replay replay flight
finds 14 replay --tries 4 --capture flight 127.0.0.1:$at
faulty reset reset
finds 15 reset --tries 4 127.0.0.1:$at
faulty offset offset
finds 16 tells 127.0.0.1:$at &&
    says "offset, first flight: from [45][0-9] bytes" out
faulty constant constant
# Few at a time: what one connection waits for another's accept counts as its time.
finds 17 constant --tries 1 --parallel 8 127.0.0.1:$at
faulty gone gone
probe --tries 4 --parallel 10 127.0.0.1:$at >out 2>err && bad "a listener that died is called clean"
says 'tries were not made: the other end went away' out
faulty sound none
clean --capture flight 127.0.0.1:$at # the faults' frame alone is none

for fault in client-answers client-constant; do
    code=13 finding=answer
    [ $fault = client-answers ] || code=17 finding=constant
    next_port
    start client "$PYTHON" "$here/probe_faults.py" $fault $port
    finds $code $finding --client 127.0.0.1:$port
done

if "$PYTHON" -c 'import cryptography' 2>/dev/null; then
    faulty flips flips k
    # The second implementation is slow: only so many handshakes at a time.
    finds 16 tells -k k --parallel 40 127.0.0.1:$at &&
        says "live: CHECKSUM" out
    faulty live-constant live-constant k
    finds 17 constant -k k --tries 2 --parallel 40 127.0.0.1:$at
else
    without "faults after the handshake" "this python has no package cryptography"
fi

# ---- duet itself ----

next_port
target=$port
start target "$PYTHON" -m http.server --bind 127.0.0.1 $target
accepts $target
next_port
start server "$DUET" server -v -k k --drain-timeout 1.2-1.8 --linger 0.3-1.7 --listen 127.0.0.1:$port \
    --target 127.0.0.1:$target
listening server
clean -k k --capture flight 127.0.0.1:$port
for command in "pipe" "recv -o got"; do
    mkdir -p got
    next_port
    # shellcheck disable=SC2086
    start "listener" "$DUET" $command -v -k k --max-connections 400 --drain-timeout 1.2-1.8 --linger 0.3-1.7 -l 127.0.0.1:$port
    listening listener
    clean -k k --capture flight 127.0.0.1:$port
done
# shellcheck disable=SC2016
clean --client --tries 8 --exec \
    "$DUET"' ping -q -k k --handshake-timeout 0.8 --linger 0.2-2 "$DUET_PROBE_ADDRESS"' 127.0.0.1:0

# ---- usage ----

expect 2 "give both" duet probe --exec true 127.0.0.1:1
expect 2 "leave -k and --capture out" duet probe --client -k k 127.0.0.1:1
expect 2 "need -k FILE" duet probe --pattern secret 127.0.0.1:1
: >empty
expect 2 "no first flight" duet probe --capture empty 127.0.0.1:1
printf '\n\r\r\n1234' >ng
expect 2 "pcapng" duet probe --capture ng 127.0.0.1:1
next_port
expect 3 "refused" duet probe -q 127.0.0.1:$port
done_testing
