#!/bin/sh
# A transfer that is cut goes on where it was: either end killed, interrupted, or the source changed.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null
head -c 150000000 /dev/urandom >large

child_of() {
    pgrep -P "$(cat "$1.pid")"
}
# part: bytes of large that have come
part() {
    stat -c %s got/large.duet-part 2>/dev/null || echo 0
}
# interrupt SIGNAL NAME: ends recv or send by a signal in the middle of a transfer. On a busy machine
# the signal may come when all is through: then once more.
interrupt() {
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        rm -rf got
        next_port
        start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
        listening recv
        start send "$DUET" send -k k large 127.0.0.1:$port
        while [ "$(part)" -lt 20000000 ] && [ ! -e got/large ] && [ ! -s send.code ]; do
            sleep 0.02
        done
        kill "-$1" "$(child_of "$2")" 2>/dev/null
        wait_until test -s recv.code && wait_until test -s send.code || bad "$1 to $2: an end still runs"
        [ -e got/large ] || [ "$(part)" -ge 140000000 ] || return
    done
    bad "$1 to $2: always too late, in $try tries"
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
    says "MiB more were there already and are equal, both ends hold the same receipt" send.err
    rm -r got
}

interrupt KILL recv
ended send 6
says "resume" send.err
[ -s got/large.duet-part ] || bad "no .duet-part"
resume

interrupt KILL send
ended recv 6
resume

interrupt INT recv
ended recv 12
says "to resume" recv.err
ended send 6
resume

interrupt TERM send
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
