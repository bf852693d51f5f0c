#!/bin/sh
# ping, explain and version.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
needs_python
id=$(duet keygen -o k)

next_port
mkfifo quiet
hold_open >quiet &
children="$children $!"
stdin=quiet start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
expect 0 "" duet ping -k k -c 3 127.0.0.1:$port
says "^resolve  *[0-9.]* ms$" out
says "^connect  *[0-9.]* ms, 127.0.0.1 port $port$" out
says "^handshake .* authenticated: pattern ephemeral\( with ML-KEM-768\)*, secret $id$" out
says "round trip 3: " out
says "3 sent, 3 received" out
says "^close  *done$" out
expect 3 "refused" duet ping -k k 127.0.0.1:1
expect 2 "1 to 1000000" duet ping -k k -c 0 127.0.0.1:1

next_port
head -c 100000 /dev/zero >data
mkfifo talking # it sends, and has not closed
{ cat data; hold_open; } >talking &
children="$children $!"
stdin=talking start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
expect 0 "" duet ping -k k -c 1 --json 127.0.0.1:$port # whatever it sends is dropped
says '"received": 1' out
"$PYTHON" -m json.tool <out >/dev/null || bad "not JSON: $(cat out)"
expect 3 "refused" duet ping -k k --json 127.0.0.1:1
says '"exit": 3}$' out
"$PYTHON" -m json.tool <out >/dev/null || bad "not JSON after a failure: $(cat out)"

# a peer that has nothing to send closes at once: it is there, and not hurt by the visit
next_port
start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
expect 0 "" duet ping -k k -c 1 127.0.0.1:$port
says "authenticated" out
says "^close  *done$" out
ended listener 0

# recv has but one peer, and tells that this was none
next_port
start recv "$DUET" recv -v -k k -o inbox -l 127.0.0.1:$port
listening recv
expect 0 "" duet ping -k k -c 1 127.0.0.1:$port
ended recv 6
says "had sent nothing: a duet ping" recv.err

expect 0 "" duet explain
says "DUET_E_FORGED" out
says "could not connect" out
for word in DUET_E_FORGED E_FORGED forged -32; do
    expect 0 "" duet explain -- $word
    expect 0 "" duet explain $word
    says "MAC is wrong" out
done
expect 0 "" duet explain 8
says "chmod 600" out
expect 0 "" duet explain DUET_E_STRANGER # its name in 0.1.0
says "DUET_E_UNAUTHENTICATED" out
expect 2 "no such error" duet explain nonsense
expect 2 "no such error" duet explain 999

expect 0 "" duet version
says "^duet [0-9.]* (protocol 1, kernel [a-z0-9_]*)$" out
expect 0 "" duet version --json
says '"protocol": 1' out
duet version >/dev/full 2>err
[ $? -eq 9 ] || bad "version into a full disk"
done_testing
