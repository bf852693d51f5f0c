#!/bin/sh
# A new secret takes an old one's place at a running tunnel, by the steps that duet key rotate prints:
# no connection is lost, and the old one opens nothing afterwards.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo
next_port
wire=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
cat >server.conf <<END
[Tunnel s]
side = server
listen = $wire
target = $target
key = k
END
cat >client.conf <<END
[Tunnel c]
side = client
listen = $plain
target = $wire
key = k
END

# reload NAME: and wait until it is done
reload() {
    before=$(grep -c reloaded "$1.err")
    kill -HUP "$(pid "$1")"
    wait_until again "$1"
}
again() {
    [ "$(grep -c reloaded "$1.err")" -gt "$before" ]
}

start server "$DUET" run -v -c server.conf
start client "$DUET" run -v -c client.conf
listening server
listening client
held 5
expect 0 "" duet key rotate k
says '^2. At the end that listens, accept both' out
old=$(duet key show k | sed -n 's/^id: //p') new=$(duet key show k.new | sed -n 's/^id: //p')
[ -n "$new" ] && [ "$old" != "$new" ] || bad "the new secret is the old one"
says "^old: $old  k$" out
says "^new: $new  k.new$" out
expect 9 "never overwritten" duet key rotate k

sed -i 's/^key = k$/key = k\nkey = k.new/' server.conf
reload server
peer both "$plain" 1 || bad "the old secret, after the first step"
sed -i 's/^key = k$/key = k.new/' client.conf
reload client
peer both "$plain" 1 || bad "the new secret, after the second step"
release || bad "a connection was lost"
sed -i '/^key = k$/d' server.conf
reload server
peer both "$plain" 1 || bad "the new secret, after the last step"
expect 4 '' duet ping -k k --timeout 20 --handshake-timeout 2 "$wire"
down

# An identity likewise: the other end trusts both, then the new one alone.
duet keygen -q --identity -o i >public
expect 0 "" duet key rotate i -o next
says '^1. At each other end, add a section' out
says "^old: $(cat public)  i$" out
expect 0 "" duet key show next
done_testing
