#!/bin/sh
# pipe over TCP, Unix sockets, a command and standard streams: every byte, both ways, and the end.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null
head -c 20000000 /dev/urandom >a
head -c 7000001 /dev/urandom >b

# TCP, both ways at once; equal receipts
for pattern in secret ephemeral; do
    next_port
    stdin=b start listener "$DUET" pipe -v -k k --pattern $pattern -l 127.0.0.1:$port
    listening listener
    duet pipe -v -k k --pattern $pattern 127.0.0.1:$port <a >got 2>err || bad "pipe $pattern: $(cat err)"
    ended listener 0
    same a listener.out
    same b got
    [ "$(grep receipt err)" = "$(grep receipt listener.err)" ] || bad "receipts differ"
    [ "$(grep -c receipt err)" = 2 ] || bad "not two receipts"
done

# IPv6, where there is one; a Unix socket, whose stale file is replaced
if grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null; then
    next_port
    start listener "$DUET" pipe -v -k k -l "[::1]:$port"
    listening listener
    duet pipe -k k "[::1]:$port" <b || bad "IPv6"
    ended listener 0
    same b listener.out
fi
for _ in 1 2; do
    start listener "$DUET" pipe -v -k k -l unix:sock
    listening listener
    expect 3 "in use" duet pipe -k k -l unix:sock
    duet pipe -k k unix:sock <b || bad "Unix socket"
    ended listener 0
    same b listener.out
done

# a command, and standard streams
expect 2 "--in and --out" duet pipe -k k --stdio
duet pipe -k k --exec "exec '$DUET' pipe -k k --stdio --in b --out from" <a >got || bad "--exec"
same a from
same b got
duet pipe -k k --exec "exec '$DUET' pipe -k k --stdio --in fd:3 --out fd:4 3<b 4>from" <a >got ||
    bad "--in fd:N"
same a from
same b got
expect 3 "status 7" duet pipe -k k --exec "exit 7"
expect 3 "status 127" duet pipe -k k --exec "no-such-command-here 2>/dev/null"

# roles the other way round
next_port
start listener "$DUET" pipe -v -k k --top -l 127.0.0.1:$port
listening listener
duet pipe -k k --bottom 127.0.0.1:$port <b || bad "roles"
ended listener 0
same b listener.out

# the peer's end closes only standard output: what is sent after it still arrives
next_port
start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
(sleep 1 && echo later) | duet pipe -k k 127.0.0.1:$port >got || bad "half close"
ended listener 0
says later listener.out

# nothing at all
next_port
start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
duet pipe -k k 127.0.0.1:$port </dev/null >got || bad "nothing"
ended listener 0
[ ! -s got ] && [ ! -s listener.out ] || bad "something came of nothing"

# several secrets: one -k each, and a folder
duet keygen -o k2 >/dev/null
mkdir ring
cp k k2 ring
for keys in "-k k2 -k k" "-k ring"; do
    next_port
    # shellcheck disable=SC2086
    start listener "$DUET" pipe -v $keys -l 127.0.0.1:$port
    listening listener
    duet pipe -k k 127.0.0.1:$port <b || bad "$keys"
    ended listener 0
    same b listener.out
done
done_testing
