#!/bin/sh
# A transfer that is cut goes on where it was: either end killed, interrupted, or the source changed.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null
head -c 150000000 /dev/urandom >large

child_of() {
    pgrep -P "$(cat "$1.pid")"
}
# begin: a transfer that is under way, with some of it in got/large.duet-part
begin() {
    next_port
    start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
    listening recv
    start send "$DUET" send -k k large 127.0.0.1:$port
    tries=0
    while [ "$(stat -c %s got/large.duet-part 2>/dev/null || echo 0)" -lt 20000000 ] && [ $tries -lt 200 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
}
# resume: it ends well, and sends less than all
resume() {
    next_port
    start recv "$DUET" recv -v -k k -o got --json -l 127.0.0.1:$port
    listening recv
    duet send -k k large 127.0.0.1:$port 2>send.err || bad "resume: $(cat send.err)"
    ended recv 0
    same large got/large
    [ ! -e got/large.duet-part ] || bad "the .duet-part is left"
    bytes=$(sed -n 's/.*"bytes": \([0-9]*\).*/\1/p' recv.out)
    [ "$bytes" -lt 140000000 ] || bad "all of it was sent again: $bytes"
    says "\"there\": $((150000000 - bytes))," recv.out
    says "MiB more were there already and are equal, receipt" send.err
    rm -r got
}

begin
kill -9 "$(child_of recv)"
ended send 6
says "resume" send.err
[ -s got/large.duet-part ] || bad "no .duet-part"
resume

begin
kill -9 "$(child_of send)"
ended recv 6
resume

begin
kill -INT "$(child_of recv)"
ended recv 12
says "to resume" recv.err
ended send 6
resume

begin
kill -TERM "$(child_of send)"
ended send 12
ended recv 6
resume

# what is there is of another file: from the start
mkdir got
head -c 100000000 /dev/zero >got/large.duet-part
next_port
start recv "$DUET" recv -v -k k -o got --json -l 127.0.0.1:$port
listening recv
duet send -q -k k large 127.0.0.1:$port || bad "another .duet-part"
ended recv 0
same large got/large
says '"bytes": 150000000' recv.out
done_testing
