#!/bin/sh
# Pattern 2: both ends prove their identities; one that is not on the list is refused and logged.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null
for name in alice bob eve; do
    duet keygen --identity -o $name.id >$name.public
    printf '[Peer %s]\nPublicKey = %s\n' $name "$(cat $name.public)" >$name.peers
done
echo data >data

# both OPTIONS-OF-LISTENER OPTIONS-OF-CLIENT [SECONDS]: a client that waits so long for an answer
both() {
    next_port
    # shellcheck disable=SC2086
    start listener "$DUET" pipe -v -k k $1 --drain-timeout 1-1 -l 127.0.0.1:$port
    listening listener
    # shellcheck disable=SC2086
    duet pipe -v -k k $2 --handshake-timeout ${3:-25} 127.0.0.1:$port <data 2>err
    echo $? >code
}

# both have lists; one has; none has
for lists in "--peers alice.peers:--peers bob.peers" "--peers alice.peers:" ":--peers bob.peers" ":"; do
    both "-i bob.id ${lists%:*}" "-i alice.id ${lists#*:}"
    [ "$(cat code)" = 0 ] || bad "$lists: $(cat err)"
    ended listener 0
    same data listener.out
    seen_alice=$(cat alice.public) seen_bob=$(cat bob.public)
    [ "${lists%:*}" = "" ] || seen_alice=alice
    [ "${lists#*:}" = "" ] || seen_bob=bob
    says "connected to $seen_alice: secret .*, pattern identity" listener.err
    says "connected to $seen_bob: secret .*, pattern identity" err
done

# TOP is not trusted: the listener logs its key, in a line that can be copied
both "-i bob.id --peers alice.peers" "-i eve.id" 2
[ "$(cat code)" = 4 ] || bad "eve: exit $(cat code): $(cat err)"
says "section \[Peer NAME\] to the peers file, and below it the line PublicKey = $(cat eve.public)" listener.err
echo x | duet pipe -k k -i alice.id 127.0.0.1:$port || bad "alice after eve"
ended listener 0

# BOTTOM is not trusted
both "-i eve.id" "-i alice.id --peers bob.peers"
[ "$(cat code)" = 11 ] || bad "an untrusted listener: exit $(cat code): $(cat err)"
says "PublicKey = $(cat eve.public)" err
echo x | duet pipe -k k -i bob.id 127.0.0.1:$port || bad "bob after the refusal"
ended listener 0

# a peer with this end's own identity is refused
both "-i bob.id" "-i bob.id"
[ "$(cat code)" = 11 ] || bad "own key: exit $(cat code): $(cat err)"
echo x | duet pipe -k k -i alice.id 127.0.0.1:$port || bad "alice after that"
ended listener 0

# a list means pattern 2 alone; a listener without an identity does not know it
both "-i bob.id --peers alice.peers" "" 2
[ "$(cat code)" = 4 ] || bad "no identity: exit $(cat code): $(cat err)"
says "pattern 1, which is not accepted" listener.err
echo x | duet pipe -k k -i alice.id 127.0.0.1:$port || bad "alice after that"
ended listener 0
both "" "-i alice.id" 2
[ "$(cat code)" = 4 ] || bad "identity towards none: exit $(cat code): $(cat err)"
says "pattern 2, which is not accepted" listener.err
echo x | duet pipe -k k 127.0.0.1:$port || bad "the default pattern after that"
ended listener 0

# without a list an identity is let in beside pattern 1
both "-i bob.id" ""
[ "$(cat code)" = 0 ] || bad "pattern 1 towards an identity: $(cat err)"
ended listener 0
done_testing
