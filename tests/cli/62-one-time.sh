#!/bin/sh
# One-time secrets: one session each, whatever becomes of it; unauthenticated peers use up nothing; a folder serves one
# session after another; and what cannot be destroyed is not used.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
mkdir -m 700 here there spare

# secret NAME: a new one at both ends, and a copy that no session knows of
secret() {
    rm -f here/* there/* here/.??* there/.??*
    duet keygen -q -o "here/$1" >/dev/null
    cp -p "here/$1" "there/$1"
    cp -p "here/$1" "spare/$1"
}

# pid_of NAME: of what start() started
pid_of() {
    pgrep -P "$(cat "$1.pid")"
}

# left FOLDER COUNT: so many files are there, hidden ones included
left() {
    count=$(find "$1" -type f | wc -l)
    [ "$count" -eq "$2" ] || bad "$count files in $1, not $2: $(ls -A "$1")"
}

# ---- One session, and its files are gone and overwritten ----
secret k
exec 5<here/k 6<there/k
next_port
start listener "$DUET" pipe -v --one-time -k there/k -l 127.0.0.1:$port
listening listener
echo hello | duet pipe --one-time -k here/k 127.0.0.1:$port >/dev/null 2>err || bad "the first session: $(cat err)"
ended listener 0
says hello listener.out
says 'used up, and its file destroyed' listener.err
left here 0
left there 0
[ -s spare/k ] || bad "no secret to compare with"
head -c "$(wc -c <spare/k)" /dev/zero >zeros
cat <&5 >was && same zeros was
cat <&6 >was && same zeros was
exec 5<&- 6<&-
expect 8 'here/k: No such file' duet pipe --one-time -k here/k 127.0.0.1:$port </dev/null
expect 8 'there/k: No such file' duet pipe --one-time -k there/k -l 127.0.0.1:$port </dev/null

# ---- Two sessions under one secret: the second is ended before a byte of it ----
secret k
next_port && first=$port
next_port && second=$port
start one "$DUET" pipe --one-time -k there/k -l 127.0.0.1:$first
start two "$DUET" pipe --one-time -k there/k -l 127.0.0.1:$second
listening one
listening two
echo first | duet pipe -q -k spare/k 127.0.0.1:$first >/dev/null || bad "the first of two"
ended one 0
says first one.out
echo second | duet pipe -q -k spare/k 127.0.0.1:$second >/dev/null 2>err && bad "the second of two"
ended two 8
says 'is used up: another session took it first' two.err
[ ! -s two.out ] || bad "the second of two took $(cat two.out)"

# ---- The same at the end that dials: its file went while it reached for the peer ----
secret k
start dialler "$DUET" pipe --one-time -k here/k --handshake-timeout 29 --exec \
    "touch begun; until [ -e go ]; do sleep 0.1; done; exec '$DUET' pipe -q -k spare/k --stdio --in /dev/null --out took"
exists begun
mv here/k elsewhere
touch go
ended dialler 8
says 'is used up: another session took it first' dialler.err
[ ! -s took ] || bad "the peer took $(cat took)"

# ---- A file that was replaced meanwhile is another secret: it stays ----
rm -f begun go
secret k
duet keygen -q -o other >/dev/null
start dialler "$DUET" pipe --one-time -k here/k --handshake-timeout 29 --exec \
    "touch begun; until [ -e go ]; do sleep 0.1; done; exec '$DUET' pipe -q -k spare/k --stdio --in /dev/null --out took"
exists begun
cp -p other here/new && mv here/new here/k
touch go
ended dialler 8
says 'was replaced since it was read' dialler.err
left here 1
same other here/k

# ---- Who is killed within the session has used it up ----
for victim in listener dialler; do
    secret k
    next_port
    rm -f input && mkfifo input
    start listener "$DUET" pipe --one-time -k there/k -l 127.0.0.1:$port
    listening listener
    stdin=input start dialler "$DUET" pipe --one-time -k here/k 127.0.0.1:$port
    exec 4>input
    echo begun >&4
    soon begun listener.out
    kill -9 "$(pid_of $victim)"
    exec 4>&-
    wait_until test -s listener.code && wait_until test -s dialler.code
    left here 0
    left there 0
    expect 8 'No such file' duet pipe --one-time -k there/k -l 127.0.0.1:$port </dev/null
done

# ---- Unauthenticated peers use up nothing ----
secret k
duet keygen -q -o wrong >/dev/null
next_port
start listener "$DUET" pipe --one-time -k there/k -l 127.0.0.1:$port
listening listener
head -c 3000 /dev/urandom | timeout 60 "$DUET" pipe -q -k wrong --handshake-timeout 1 127.0.0.1:$port >/dev/null 2>&1 &&
    bad "another secret was let in"
left there 1
echo right | duet pipe -q --one-time -k here/k 127.0.0.1:$port >/dev/null || bad "after an unauthenticated peer"
ended listener 0
left there 0
next_port
secret k
start unauthenticated "$DUET" pipe -q -k wrong -l 127.0.0.1:$port
accepts "$port"
expect 4 '' duet pipe -q --one-time -k here/k --handshake-timeout 1 127.0.0.1:$port </dev/null
left here 1
kill "$(pid_of unauthenticated)" 2>/dev/null

# ---- A folder serves one session after another, in order ----
rm -rf here there
duet keygen -q --count 3 --size 64 -o here >ids || bad "keygen --count"
[ "$(sort -u ids | wc -l)" -eq 3 ] || bad "ids: $(cat ids)"
[ "$(stat -c %a here here/* | sort -u | tr '\n' ' ')" = '600 700 ' ] || bad "modes: $(ls -la here)"
cp -pr here there
for turn in 1 2 3; do
    next_port
    start listener "$DUET" pipe -q --one-time -k there -l 127.0.0.1:$port
    accepts "$port"
    echo turn $turn | duet pipe -q --one-time -k here 127.0.0.1:$port >/dev/null || bad "session $turn of a folder"
    ended listener 0
    says "turn $turn" listener.out
    left here $((3 - turn))
    left there $((3 - turn))
done
expect 8 'holds no key file' duet pipe --one-time -k here 127.0.0.1:$port </dev/null
expect 8 'holds no key file' duet pipe --one-time -k there -l 127.0.0.1:$port </dev/null

# ---- Transfers: --retry goes on to the next one where the peer has used one up ----
duet keygen -q --count 2 --size 64 -o here >/dev/null
cp -p here/"$(ls here | tail -1)" there
echo data >file
next_port
start recv "$DUET" recv -q --one-time -k there -l 127.0.0.1:$port -o inbox
accepts "$port"
duet send -q --one-time -k here --handshake-timeout 2 --retry 3 file 127.0.0.1:$port 2>err || bad "send: $(cat err)"
ended recv 0
same file inbox/file
left here 1
left there 0

# ---- What does not go together, or cannot be destroyed, is said before anything is sent ----
secret k
expect 2 'does not go with --keep' duet recv --one-time --keep -k here/k -l 127.0.0.1:$port
expect 2 'does not go with --streams' duet recv --one-time --streams 2 -k here/k -l 127.0.0.1:$port
expect 2 'does not go with --streams' duet send --one-time --streams 2 -k here/k file 127.0.0.1:$port
expect 2 'one-time: unknown option' duet ping --one-time -k here/k 127.0.0.1:$port
ln -s "$work/here/k" link
expect 8 'no file of its own' duet pipe --one-time -k link 127.0.0.1:$port </dev/null
expect 8 'no file of its own' duet pipe --one-time -k /dev/stdin 127.0.0.1:$port <here/k
ln here/k twice
expect 8 'has another name' duet pipe --one-time -k here/k 127.0.0.1:$port </dev/null
rm link twice
expect 2 'needs the folder' duet keygen --count 2
expect 2 'is for secrets' duet keygen --count 2 --identity -o new
expect 2 'exclude each other' duet keygen --count 2 --passphrase -o new
expect 9 'names a folder' duet keygen --count 2 -o file

# a folder that cannot be written to; root writes everywhere
as=
if [ "$(id -u)" -eq 0 ]; then
    as="setpriv --reuid 65534 --regid 65534 --clear-groups"
    chmod 755 . && chown 65534:65534 here here/k
fi
chmod 500 here
# shellcheck disable=SC2086 # several words, or none
if $as test -x "$DUET" && $as test -r "$work/here/k"; then
    expect 8 'could not destroy it' timeout 300 $as "$DUET" pipe --one-time -k "$work/here/k" 127.0.0.1:$port </dev/null
    chmod 700 here && chmod 400 here/k
    expect 8 'could not destroy it' timeout 300 $as "$DUET" pipe --one-time -k "$work/here/k" 127.0.0.1:$port </dev/null
else
    without "a folder without the right to write" "another user cannot run the command here"
fi
done_testing
