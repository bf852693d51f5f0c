#!/bin/sh
# Edges of a transfer: --update, hard links that become files, unfinished files that may not be written to, holes to
# standard output, a stream that cannot be sent twice, and a receiver that is stopped before anybody came.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null

# transfer RECV-CODE SEND-CODE RECV-OPTIONS -- SEND-ARGUMENTS...
transfer() {
    recv_code=$1 send_code=$2 recv_options=$3
    shift 4
    next_port
    # shellcheck disable=SC2086
    start recv "$DUET" recv -v -k k -o got $recv_options -l 127.0.0.1:$port
    listening recv
    duet send -k k "$@" 127.0.0.1:$port 2>send.err
    sent=$?
    [ $sent -eq "$send_code" ] || bad "send: exit $sent, not $send_code: $(cat send.err)"
    ended recv "$recv_code"
}

# --update: of the same time and another size is replaced, a newer one is kept
mkdir got
echo longer >one && echo short >got/one
touch -d '2020-01-01 00:00:00.5' one got/one
transfer 0 0 --update -- one
same one got/one
echo newer one >got/one
transfer 0 0 --update -- one
[ "$(cat got/one)" = "newer one" ] || bad "--update replaced a newer file"
rm -r got

# a hard link whose first name is refused comes as a file, and its folder is done after that
mkdir -p src/x src/y got/src/x
echo content >src/x/a && ln src/x/a src/y/b
echo other >got/src/x/a
touch -d '2001-02-03 04:05:06' src/y
transfer 1 1 "" -- src
same src/y/b got/src/y/b
[ "$(stat -c %Y src/y)" = "$(stat -c %Y got/src/y)" ] || bad "the folder was done before its content"
rm -r got src

# an unfinished file that had its mode already
if [ "$(id -u)" -eq 0 ]; then
    without "an unfinished file that may not be written to" "root may write to all"
else
    mkdir got
    head -c 300000 /dev/urandom >whole && cp whole got/whole.duet-part
    chmod 444 got/whole.duet-part
    transfer 0 0 --json -- whole
    same whole got/whole
    says '"bytes": 0,' recv.out
    rm -rf got
fi

# a hole without end to standard output ends with the transfer
if truncate -s 4T holes 2>/dev/null; then
    next_port
    mkfifo drain # /dev/null takes zeros too fast
    cat drain >/dev/null &
    start recv sh -c 'exec "$@" >drain' sh "$DUET" recv -v -k k -o - --retry 9 -l 127.0.0.1:$port
    listening recv
    start send "$DUET" send -v -k k holes 127.0.0.1:$port
    soon connected recv.err
    sleep 1
    kill -KILL "$(pgrep -P "$(cat send.pid)")"
    soon "try 1 of 9" recv.err
    kill "$(pgrep -P "$(cat recv.pid)")"
    rm holes
else
    without "a hole of 4 TiB" "this file system has no such files"
fi

# standard input and --retry: another try as long as nothing was read, an error after that
next_port
(
    echo hello | timeout 300 "$DUET" send -k k --retry forever --name hello - 127.0.0.1:$port 2>send.err
    echo $? >hello.code
) &
children="$children $!"
soon "try 2 of" send.err
start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
ended recv 0
wait_until test -s hello.code && [ "$(cat hello.code)" = 0 ] || bad "a stream: $(cat send.err)"
[ "$(cat got/hello)" = hello ] || bad "a stream did not arrive"
next_port
start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
listening recv
mkfifo feed
(
    head -c 100000 /dev/zero
    hold_open
) >feed &
children="$children $!"
stdin=feed start send "$DUET" send -k k --retry 5 --name cut - 127.0.0.1:$port
exists got/cut.duet-part
kill -KILL "$(pgrep -P "$(cat recv.pid)")"
ended send 1
says "cannot be read again" send.err
rm -r got

# SIGTERM before anything was begun is an order, SIGINT an interruption
for signal in TERM INT; do
    next_port
    start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
    listening recv
    kill -$signal "$(pgrep -P "$(cat recv.pid)")"
    [ $signal = TERM ] && ended recv 0 || ended recv 12
done
done_testing
