#!/bin/sh
# What users of rsync, scp and croc lost files or trust over: links, holes, pipes, changing files, modes,
# umask, long and deep names, equal files, file systems that lack a step (docs/transfer.md).
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
umask 022 # modes are compared
duet keygen -o k >/dev/null

# transfer CODE-OF-RECV CODE-OF-SEND RECV-OPTIONS SEND-OPTIONS PATH...
transfer() {
    recv_code=$1 send_code=$2 recv_options=$3
    shift 3
    next_port
    # shellcheck disable=SC2086
    start recv $in_front "$DUET" recv -v -k k --json $recv_options -l 127.0.0.1:$port
    listening recv
    duet send -k k "$@" 127.0.0.1:$port >send.out 2>send.err </dev/null
    got=$?
    [ $got -eq "$send_code" ] || bad "send $*: exit $got, not $send_code: $(cat send.err)"
    ended recv "$recv_code"
}
in_front=
moved() {
    sed -n 's/.*"bytes": \([0-9]*\).*/\1/p' recv.out
}

# ---- Links, hard links, holes ----
mkdir tree
echo x >tree/file
ln -s file tree/link
ln -s ../../outside tree/away
ln tree/file tree/twin
truncate -s 50M tree/sparse
echo end >>tree/sparse
transfer 0 0 "-o got" tree
[ "$(readlink got/tree/link)" = file ] && [ "$(readlink got/tree/away)" = ../../outside ] || bad "links"
[ "$(stat -c %i got/tree/file)" = "$(stat -c %i got/tree/twin)" ] || bad "a hard link became a file of its own"
same tree/sparse got/tree/sparse
[ "$(du -k got/tree/sparse | cut -f1)" -lt 10000 ] || bad "the hole was filled"
[ "$(moved)" -lt 100000 ] || bad "the hole travelled: $(moved)"
transfer 0 0 "-o got" tree
[ "$(moved)" = 0 ] || bad "equal files travelled again: $(moved)"
transfer 0 0 "-o followed" -L tree/link
[ ! -L followed/link ] && same tree/file followed/link
rm tree/away
transfer 0 0 "-o followed" -L tree
[ -f followed/tree/link ] && [ ! -L followed/tree/link ] || bad "-L"
# nothing goes through a link that was sent
mkdir through outside trap
echo precious >outside/x
ln -s "$PWD/outside" through/d
transfer 0 0 "-o trap" through
rm through/d && mkdir through/d && echo other >through/d/x
transfer 1 1 "-o trap --force" through
[ "$(cat outside/x)" = precious ] || bad "written through a link that was received"

# ---- What has no size, or changes ----
mkfifo named
{ echo content; } >named &
transfer 0 0 "-o got" named
[ "$(cat got/named)" = content ] || bad "a named pipe"
transfer 0 0 "-o got" --name version /proc/version
same /proc/version got/version
mkdir special
mkfifo special/pipe
transfer 0 1 "-o got" -q special
says "left out" send.err
head -c 40000000 /dev/urandom >changes
next_port
start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
listening recv
start send "$DUET" send -k k --limit 20M changes 127.0.0.1:$port
wait_until test -s got/changes.duet-part || bad "nothing comes"
printf A | dd of=changes bs=1 conv=notrunc 2>/dev/null
ended send 0
ended recv 0
says "changed while it was read" send.err
same changes got/changes

# ---- Modes ----
(
    umask 077
    transfer 0 0 "-o private" tree
    exit $failures
)
[ "$(stat -c %a private/tree/file)" = 600 ] && [ "$(stat -c %a private/tree)" = 700 ] || bad "the umask does not hold"
mkdir -m 755 there there/tree && chmod 711 there/tree
transfer 0 0 "-o there" tree
[ "$(stat -c %a there/tree)" = 711 ] || bad "the mode of a folder that was there changed"
mkdir -p locked/ro && echo 1 >locked/ro/1 && chmod 555 locked/ro
transfer 0 0 "-o got" locked
[ "$(stat -c %a got/locked/ro)" = 555 ] || bad "a read-only folder"
chmod 755 locked/ro && echo 2 >locked/ro/2 && chmod 555 locked/ro
transfer 0 0 "-o got" locked
[ -f got/locked/ro/2 ] && [ "$(stat -c %a got/locked/ro)" = 555 ] || bad "a read-only folder, again"
chmod 755 locked/ro got/locked/ro

# ---- Names ----
mkdir names
long=$(printf '%0255d' 0)
echo x >"names/$long"
deep=names && for _ in $(seq 150); do deep=$deep/d; done
mkdir -p $deep && echo x >$deep/leaf
transfer 0 0 "-o got" names
[ -f "got/names/$long" ] && [ -f got/$deep/leaf ] || bad "long or deep names"
mkdir other && echo y >other/file
transfer_refused() {
    expect 2 "$1" duet send -k k $2 127.0.0.1:1
}
transfer_refused "would both be" "tree/file other/file"
transfer_refused "no name" "/"
expect 2 "file name" duet send -k k --name ../x tree/file 127.0.0.1:1
expect 2 "has no value" duet send -k k --name= tree/file 127.0.0.1:1
transfer 0 0 "-o got" --name renamed tree/file
same tree/file got/renamed
echo x >.dotted
transfer 1 1 "-o got" .dotted
says "recv --hidden" send.err
transfer 0 0 "-o got --hidden" .dotted

# ---- Selecting, listing ----
mkdir -p pick/a/b pick/build && touch pick/a/1.c pick/a/1.o pick/a/b/2.o pick/build/x
transfer 0 0 "-o picked" --exclude '*.o' --include 'a/b/*.o' --exclude /build pick
[ "$(cd picked && find . -type f | sort | tr '\n' ' ')" = "./pick/a/1.c ./pick/a/b/2.o " ] || bad "patterns: $(find picked)"
printf 'pick/a/1.c\n./tree\n' >list
transfer 0 0 "-o listed" --files-from list
[ -f listed/pick/a/1.c ] && [ -f listed/tree/file ] && [ ! -e listed/pick/a/1.o ] || bad "--files-from"
printf '../x\n' >list
expect 2 "below this folder" duet send -k k --files-from list 127.0.0.1:1
duet send -k k --list pick >out || bad "--list"
says "4 files" out
mkdir dry
transfer 0 0 "-o dry" --dry-run pick
[ -z "$(ls dry)" ] || bad "a dry run left something"
says "pick/a/1.c" send.out

# ---- What is there differs ----
echo old >note && mkdir kept
transfer 0 0 "-o kept" note
echo newer >note
transfer 1 1 "-o kept" note
transfer 0 0 "-o kept --keep-both" note
[ "$(cat kept/note)" = old ] && [ "$(cat "kept/note (2)")" = newer ] || bad "--keep-both"
touch -d '2001-01-01' note
transfer 0 0 "-o kept --update" note
[ "$(cat kept/note)" = old ] || bad "--update took an older file"
touch note
transfer 0 0 "-o kept --update" note
[ "$(cat kept/note)" = newer ] || bad "--update left an older file"
echo tampr >kept/note && touch -r note kept/note
transfer 0 0 "-o kept --force" note
[ "$(cat kept/note)" = tampr ] || bad "size and time are not believed"
transfer 0 0 "-o kept --force --checksum" note
[ "$(cat kept/note)" = newer ] || bad "--checksum"
transfer 1 1 "-o small --max-size 3" note
transfer 1 1 "-o few --max-files 2" pick
printf 'pick/a/1.c\n' >list # two folders on the way, and a file
transfer 1 1 "-o few2 --max-files 2" --files-from list
says "more files than --max-files" send.err
transfer 0 0 "-o few3 --max-files 3" --files-from list

# ---- An unfinished file of another user, or with a second name, is not ours ----
echo precious >linked && mkdir part && ln linked part/note.duet-part
transfer 0 0 "-o part" note
[ "$(cat linked)" = precious ] && [ "$(cat part/note)" = newer ] || bad "a hard link in the part's place"

# ---- File systems that lack a step ----
if [ -n "${SHIM:-}" ]; then
    for call in flock fchmod futimens fsync renameat2; do
        rm -rf lacks
        in_front="env LD_PRELOAD=$SHIM FAIL_KIND=$call FAIL_NTH=1 FAIL_MORE=1 FAIL_ERRNO=95"
        transfer 0 0 "-o lacks" note
        same note lacks/note
    done
    in_front=
fi

# ---- Again and again ----
(sleep 1; exec "$DUET" recv -q -k k -o late -l unix:wire) &
children="$children $!"
duet send -q -k k --retry 10 note unix:wire 2>err || bad "--retry: $(cat err)"
wait_until test -e late/note || bad "--retry"
start recv "$DUET" recv -v -k k --keep -o keeps -l unix:stays
listening recv
duet send -q -k k note unix:stays && duet send -q -k k --retry 20 tree unix:stays || bad "--keep"
wait_until test -e keeps/tree/file || bad "--keep"
pkill -TERM -P "$(cat recv.pid)"
ended recv 0
[ ! -e stays ] || bad "the socket is left"
done_testing
