#!/bin/sh
# What stops a newcomer: each message that names the way on, and each option that saves a detour.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# ---- Keys ----
expect 0 "" duet keygen -o k
says "umask 077; cat >k' <k" err
says "scp -p k HOST:" err
[ "$(wc -l <out)" -eq 1 ] || bad "standard output has more than the id: $(cat out)"
duet keygen -o ordered.key >both 2>&1
[ "$(head -n 1 both)" = "$(duet key show ordered.key | sed -n 's/^id: //p')" ] ||
    bad "the id is not the first line: $(cat both)"
expect 0 "" duet keygen -q -o quiet.key
[ ! -s err ] || bad "-q, and yet: $(cat err)"
expect 0 "" duet keygen -o "it's.key"
says "cat >FILE' <FILE" err

duet keygen -o - >piped 2>err
[ ! -e ./- ] || bad "-o - makes a file of that name"
chmod 600 piped
expect 0 "" duet key show piped
says "kind: secret" out
says "$(cat err)" out

expect 0 "" duet keygen --size 64 -o short.key
[ "$(wc -c <short.key)" -lt 200 ] || bad "a secret of 64 bytes is too long to paste"
expect 0 "" duet keygen --not-after 2999-12-31 -o limited.key
expect 0 "" duet key show limited.key
says "not after: 2999-12-31" out
for day in 2027-02-30 2027-1-1 tomorrow 2027-10-01x; do
    expect 2 "must be a date" duet keygen --not-after $day -o none.key
done
expect 2 "in the past" duet keygen --not-after 2001-01-01 -o none.key
expect 2 "for secrets" duet keygen --identity --not-after 2999-12-31 -o none.key
expect 2 "add --identity" duet keygen --peer bob -o none.key
expect 2 "is not a name" duet keygen --identity --peer "$(printf 'a\nb')" -o none.key
[ ! -e none.key ] || bad "a key was made in spite of an error"

duet keygen --identity --peer alice -o alice.id >alice.peers || bad "--peer"
duet keygen --identity --peer bob -o bob.id >bob.peers || bad "--peer"
says '^\[Peer alice\]$' alice.peers
duet keygen --identity -o eve.id >/dev/null
# RFC 7748 §6.1; of all public keys one in sixteen has the bits of a private one.
echo hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= >eve.public
chmod 644 eve.public # a file that others can read is no private key
expect 0 "" duet key show alice.peers
says "alice" out

# ---- A key of the wrong kind ----
expect 8 "eve.public: looks like a public key" duet pipe -k k -i eve.public 127.0.0.1:1
expect 8 "is a peers file; give it with --peers" duet pipe -k k -i bob.peers 127.0.0.1:1
expect 8 "is a shared secret; give it with -k" duet pipe -k k -i k 127.0.0.1:1
expect 2 "holds a key alone; write \[Peer NAME\]" duet pipe -k k -i bob.id --peers eve.public 127.0.0.1:1
for file in bob.id bob.peers; do
    expect 8 "$file: is a.*; -k takes a shared secret" duet pipe -k $file 127.0.0.1:1
done
chmod 644 bob.peers # what it is comes before its mode
expect 8 "bob.peers: is a peers file; give it with --peers" duet pipe -k bob.peers 127.0.0.1:1
expect 8 "is a single key; -k takes a shared secret" duet pipe -k eve.public 127.0.0.1:1
expect 2 "is an identity; give it with -i; --peers takes" duet pipe -k k -i bob.id --peers bob.id 127.0.0.1:1
expect 2 "is a shared secret; give it with -k; --peers takes" duet pipe -k k -i bob.id --peers k 127.0.0.1:1
expect 0 "" duet key show eve.public
says "most likely public" out

# ---- Who is there ----
# session OPTIONS-OF-THE-LISTENER: a listener; its messages go to listener.err
session() {
    next_port
    # shellcheck disable=SC2086
    start listener "$DUET" recv -k k $1 -o inbox -l 127.0.0.1:$port
    listening listener
}
echo data >data
session "-v -i bob.id --peers alice.peers"
duet send -v -k k -i alice.id --peers bob.peers data 127.0.0.1:$port 2>err || bad "send: $(cat err)"
ended listener 0
says "listening on 127.0.0.1:$port" listener.err
says "connected to bob: secret [0-9a-f]*, pattern identity" err
says "connected to alice: secret [0-9a-f]*, pattern identity" listener.err
session "-v"
duet send -v -k k data 127.0.0.1:$port 2>err || bad "send: $(cat err)"
ended listener 0
says "connected to a peer that holds the secret: secret [0-9a-f]*, pattern ephemeral" err

next_port
start listener "$DUET" pipe -k k -i bob.id --peers alice.peers -l 127.0.0.1:$port
listening listener
expect 0 "" duet ping -c 1 -k k -i alice.id --peers bob.peers 127.0.0.1:$port
says "peer bob" out
ended listener 0

# ---- Who is refused, and what to do ----
session "-i bob.id --peers alice.peers"
expect 4 "an identity that the peer does not trust" duet send -k k -i eve.id \
    --handshake-timeout 0.5 data 127.0.0.1:$port
expect 4 "" duet send -k k --handshake-timeout 0.5 data 127.0.0.1:$port
soon "pattern 1, which is not accepted here: this end accepts identities only; give the peer -i FILE" \
    listener.err
duet send -k k -i alice.id data 127.0.0.1:$port 2>err || bad "send: $(cat err)"
ended listener 0
session ""
expect 4 "" duet send -k k -i eve.id --handshake-timeout 0.5 data 127.0.0.1:$port
soon "pattern 2, .*; give this end -i FILE too" listener.err
expect 4 "" duet send -k k --pattern secret --handshake-timeout 0.5 data 127.0.0.1:$port
soon "pattern 0, .*: give --pattern secret to this end too" listener.err
expect 4 "" duet send -k short.key --handshake-timeout 0.5 data 127.0.0.1:$port
soon "bytes that the secret does not open" listener.err
duet send -k k data 127.0.0.1:$port 2>err || bad "send: $(cat err)"
ended listener 0
says "listening on" listener.err

# a cut: the receiver is killed in the middle
head -c 50000000 /dev/zero >large
session ""
timeout 60 "$DUET" send -k k large 127.0.0.1:$port 2>err &
sender=$!
i=0
while [ ! -s inbox/large.duet-part ] && [ ! -e inbox/large ] && [ $i -lt 500 ]; do
    i=$((i + 1))
    sleep 0.01
done
kill "$(cat listener.pid)"
wait $sender && bad "a send that was cut says that all is well"
says "run the same command again at both ends to resume" err

# ---- Options and operands ----
expect 9 "put HOST:PORT last" duet send -k k 127.0.0.1:$port data
expect 2 "client: -l: unknown option (here it is --listen ADDRESS)" duet client -l :1
expect 2 "server: --force: unknown option (an option of duet recv)" duet server --force
expect 2 "pipe: --target: unknown option (an option of duet client, server)" duet pipe --target a:1
expect 2 "did you mean --force" duet recv --forse
expect 2 "unexpected argument; usage: duet client" duet client -k k :1

# ---- Help ----
for command in keygen send recv pipe client server; do
    expect 0 "" duet $command --help
    says "^Usage: duet $command" out
    says "secret.key" out
done
duet keygen --help >out
says "wg genkey" out
says "size 64" out
done_testing
