#!/bin/sh
# Several streams of a transfer: ranges of large files on connections of their own, one receipt over all; streams
# that die alone, ends that are killed, and a peer that is no part of the transfer.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
needs_python
duet keygen -o k >/dev/null
mkdir src
head -c 50000001 /dev/urandom >src/large
head -c 5000000 /dev/urandom >src/middle
"$PYTHON" - <<'END'
with open("src/holes", "wb") as f:
    f.seek(9000000)
    f.write(b"x" * 3000000)
    f.truncate(30000000)
END
for n in 1 2 3 4 5 6 7 8 9; do echo $n >src/$n; done

# relay.py PORT TARGET cut N BYTES: the connection of that number, from 1 on, is cut after so many bytes
# relay.py PORT TARGET hold N: connections from that number on are accepted, and nothing is forwarded
cat >relay.py <<'END'
import socket, sys, threading
port, target, mode, number = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
most = int(sys.argv[5]) if mode == "cut" else -1

def carry(a, b, left):
    try:
        while data := a.recv(65536 if left < 0 else min(65536, left)):
            b.sendall(data)
            left -= len(data) if left > 0 else 0
            if left == 0:
                break
        b.shutdown(socket.SHUT_WR)
        if left == 0:
            a.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass

listener = socket.create_server(("127.0.0.1", port))
print("ready", flush=True)
held = []
count = 0
while True:
    a, _ = listener.accept()
    count += 1
    if mode == "hold" and count >= number:
        held.append(a)
        continue
    try:
        b = socket.create_connection(("127.0.0.1", target))
    except OSError:
        a.close()
        continue
    left = most if count == number else -1
    threading.Thread(target=carry, args=(a, b, left), daemon=True).start()
    threading.Thread(target=carry, args=(b, a, -1), daemon=True).start()
END
relay() {
    target=$1
    shift
    next_port
    rm -f relay.out
    start relay "$PYTHON" relay.py "$port" "$target" "$@"
    soon ready relay.out
}
same_receipt() {
    receipt=$(sed -n 's/.*same receipt //p' send.err)
    [ -n "$receipt" ] || bad "no receipt: $(cat send.err)"
    says "same receipt $receipt" recv.err
}

# either end listens; the receiver's limit holds
for number in 2 4; do
    next_port
    start recv "$DUET" recv -v -k k -o got --streams $number -l 127.0.0.1:$port
    listening recv
    duet send -k k --streams 4 src 127.0.0.1:$port 2>send.err || bad "send: $(cat send.err)"
    ended recv 0
    diff -r src got/src || bad "$number streams: not the same"
    same_receipt
    [ $number = 4 ] || says "takes part in 2 of 4 streams" send.err
    rm -r got
done
next_port
start send "$DUET" send -v -k k --streams 3 src -l 127.0.0.1:$port
listening send
duet recv -k k -o got 127.0.0.1:$port 2>recv.err || bad "recv: $(cat recv.err)"
ended send 0
diff -r src got/src || bad "the sender listens: not the same"
same_receipt
blocks=$(stat -c %b got/src/holes)
[ "$blocks" -le "$(stat -c %b src/holes)" ] || bad "the holes were filled: $blocks blocks"
rm -r got

# a receiver that writes to standard output, and one by name: one stream
next_port
start recv "$DUET" recv -v -k k -o - -l 127.0.0.1:$port
listening recv
duet send -k k --streams 4 src/large 127.0.0.1:$port 2>send.err || bad "to standard output: $(cat send.err)"
ended recv 0
same src/large recv.out
rm -f recv.out
expect 2 "needs an address" duet send -k k --streams 2 src --exec true
expect 2 "needs an address" duet recv -k k --streams 2 --stdio

# sixteen streams, and more small files than may be open beside them
mkdir many
for n in $(seq 300); do echo "$n" >many/"$n"; done
cp src/middle many/
next_port
start recv sh -c 'ulimit -n 160; exec "$@"' sh "$DUET" recv -v -k k -o got --streams 16 -l 127.0.0.1:$port
listening recv
start send sh -c 'ulimit -n 160; exec "$@"' sh "$DUET" send -k k --streams 16 src many 127.0.0.1:$port
ended send 0
ended recv 0
diff -r src got/src || bad "few files: not the same"
diff -r many got/many || bad "few files: not the same"
! grep 'Too many' send.err recv.err || bad "small files take what the streams need"
rm -r got

# one stream is cut in the middle: the others go on
next_port
real=$port
start recv "$DUET" recv -v --progress json -k k -o got -l 127.0.0.1:"$real"
listening recv
relay "$real" cut 3 3000000
duet send -k k --streams 4 --limit 30M src/large 127.0.0.1:"$port" 2>send.err || bad "a cut stream: $(cat send.err)"
ended recv 0
same src/large got/large
same_receipt
says "a stream of this transfer is lost; the others go on" send.err
# what the lost one had begun came again, and counts once
most=$(sed -n 's/.*"verified": \([0-9]*\),.*/\1/p' recv.err | sort -n | tail -n 1)
[ "${most:-0}" -gt 0 ] && [ "$most" -le 50000001 ] || bad "50000001 bytes, and verified are ${most:-none}"
rm -r got

# the first one is cut: the transfer ends, and goes on at the next try
next_port
real=$port
start recv "$DUET" recv -v -k k -o got --retry 3 -l 127.0.0.1:"$real"
listening recv
relay "$real" cut 1 6000000
duet send -k k --streams 4 --limit 60M --retry 9 src/large 127.0.0.1:"$port" 2>send.err || bad "cut: $(cat send.err)"
ended recv 0
same src/large got/large
says "try 1 of 9" send.err
rm -r got

# streams that never come to be, and a peer that holds the secret and is no part of the transfer
next_port
real=$port
start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:"$real"
listening recv
relay "$real" hold 2
start send "$DUET" send -k k --streams 4 --limit 10M --name mine src/large 127.0.0.1:"$port"
exists got/mine.duet-part
duet send -k k --streams 4 --name other src/middle 127.0.0.1:"$real" 2>other.err && bad "another transfer was accepted"
says "no part of this transfer" recv.err
ended send 0
ended recv 0
same src/large got/mine
[ ! -e got/other ] || bad "another's file was stored"
rm -r got

# either end is killed in the middle; the next run resumes
for victim in recv send; do
    next_port
    start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
    listening recv
    start send "$DUET" send -k k --streams 4 --limit 20M src/large 127.0.0.1:$port
    part_is_large() { [ "$(stat -c %s got/large.duet-part)" -gt 30000000 ]; }
    wait_until part_is_large || bad "no part: $(cat send.err)"
    kill -KILL "$(pgrep -P "$(cat $victim.pid)")"
    wait_until test -s send.code && wait_until test -s recv.code || bad "an end still runs"
    next_port
    start recv "$DUET" recv -v -k k -o got --json -l 127.0.0.1:$port
    listening recv
    duet send -k k --streams 4 src/large 127.0.0.1:$port 2>send.err || bad "resume: $(cat send.err)"
    ended recv 0
    same src/large got/large
    bytes=$(sed -n 's/.*"bytes": \([0-9]*\).*/\1/p' recv.out)
    [ "$bytes" -lt 40000000 ] || bad "$victim killed: nothing was resumed: $bytes"
    rm -r got
done

# the disk is full in the middle: the receiver says so, nothing is taken for whole
next_port
start recv sh -c 'ulimit -f 20000; exec "$@"' sh "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
listening recv
duet send -k k --streams 4 src/large 127.0.0.1:$port 2>send.err
[ $? -eq 1 ] || bad "a full disk: $(cat send.err)"
says "File too large" send.err
ended recv 9
[ ! -e got/large ] || bad "a part was taken for the whole"
for command in "send --streams 2 data" "recv --streams 2"; do
    # shellcheck disable=SC2086
    expect 2 "does not go with --proxy" duet $command -k k --proxy socks5://127.0.0.1:1 127.0.0.1:2
done
done_testing
