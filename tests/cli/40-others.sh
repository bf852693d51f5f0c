#!/bin/sh
# ping, explain and version.
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null

next_port
mkfifo quiet
(sleep 20) >quiet &
children="$children $!"
stdin=quiet start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
expect 0 "" duet ping -k k -c 3 127.0.0.1:$port
says "connected and authenticated in" out
says "round trip 3: " out
says "3 sent, 3 received" out
expect 3 "refused" duet ping -k k 127.0.0.1:1
expect 2 "1 to 1000000" duet ping -k k -c 0 127.0.0.1:1

next_port
head -c 100000 /dev/zero >data
stdin=data start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
expect 0 "" duet ping -k k -c 1 --json 127.0.0.1:$port # whatever it sends is dropped
says '"received": 1' out

expect 0 "" duet explain
says "DUET_E_FORGED" out
says "could not connect" out
for word in DUET_E_FORGED E_FORGED forged -32; do
    expect 0 "" duet explain -- $word
    says "MAC is wrong" out
done
expect 0 "" duet explain 8
says "chmod 600" out
expect 2 "no such error" duet explain nonsense
expect 2 "no such error" duet explain 999

expect 0 "" duet version
says "^duet [0-9.]* (protocol 1, kernel [a-z0-9_]*)$" out
expect 0 "" duet version --json
says '"protocol": 1' out
duet version >/dev/full 2>err
[ $? -eq 9 ] || bad "version into a full disk"
done_testing
