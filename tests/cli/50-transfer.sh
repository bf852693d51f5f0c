#!/bin/sh
# send and recv: files and folders of every kind, names kept and made safe, equal receipts, nothing
# overwritten (docs/transfer.md).
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
needs_python
umask 022 # modes are compared
duet keygen -o k >/dev/null

# transfer CODE-OF-RECV CODE-OF-SEND RECV-OPTIONS PATH...
transfer() {
    recv_code=$1 send_code=$2 recv_options=$3
    shift 3
    next_port
    # shellcheck disable=SC2086
    start recv "$DUET" recv -v -k k $recv_options -l 127.0.0.1:$port
    listening recv
    duet send -k k "$@" 127.0.0.1:$port >send.out 2>send.err
    got=$?
    [ $got -eq "$send_code" ] || bad "send: exit $got, not $send_code: $(cat send.err)"
    ended recv "$recv_code"
}
receipt() {
    grep -oE 'receipt [0-9a-f]{64}' "$1" | tail -n 1
}

# ---- One of everything ----
mkdir -p "src/a b/c" src/empty src/ro
head -c 5000000 /dev/urandom >src/large
head -c 262144 /dev/urandom >src/edge
head -c 262143 /dev/urandom >src/below
echo a >"src/a b/c/-dash"
echo b >"$(printf 'src/new\nline')"
echo c >"$(printf 'src/esc\033[31m')"
echo d >"$(printf 'src/latin\351')"
echo e >src/ünï
touch src/nothing
echo x >src/.hidden
chmod 640 src/edge
chmod 755 src/below
chmod 4755 src/nothing
touch -d '2001-02-03 04:05:06.789' src/edge src/ro
touch -d '1960-01-01' src/below
ln -s /etc/passwd src/link
mkfifo src/fifo
chmod 555 src/ro
transfer 0 1 "-o got" src
[ -n "$(receipt send.err)" ] && [ "$(receipt send.err)" = "$(receipt recv.err)" ] || bad "receipts differ"
says "fifo: neither file, folder nor link; it is left out" send.err
says "1 entry was left out" send.err
[ "$(readlink got/src/link)" = /etc/passwd ] && [ ! -e got/src/fifo ] || bad "the link did not come, or the fifo did"
rm src/fifo
diff -r src got/src >/dev/null || bad "src and got/src differ"
for name in edge below ro "a b/c/-dash"; do
    [ "$(stat -c '%a %y' "src/$name")" = "$(stat -c '%a %y' "got/src/$name")" ] ||
        bad "$name: mode or time: $(stat -c '%a %y' "src/$name" "got/src/$name")"
done
[ "$(stat -c %a got/src/nothing)" = 755 ] || bad "setuid came through"
[ -z "$(find got -name '*.duet-part')" ] || bad "a .duet-part is left"
grep -q "$(printf '\033')" send.err recv.err && bad "a control character on the terminal"

# again: all is there and equal, so all is well; then one differs
transfer 0 0 "-o got" src
echo other >src/ünï
touch -d '2002-01-01' got/src/ünï
transfer 1 1 "-o got" src
says "is there already, and differs" send.err
says "is there already, and differs" recv.err
[ "$(cat got/src/ünï)" = e ] || bad "overwritten"
transfer 0 0 "-o got --force" src
same src/ünï got/src/ünï

# files that are called as other programs call unfinished ones are neither taken nor replaced
mkdir -p parts got/parts
head -c 300000 /dev/urandom >parts/a
echo whole >parts/a.part
echo mine >got/parts/a.duet-part.part
transfer 0 0 "-o got" parts
diff parts/a got/parts/a && [ "$(cat got/parts/a.part got/parts/a.duet-part.part)" = "$(printf 'whole\nmine')" ] ||
    bad "a file that looks unfinished was lost"
echo x >parts/a.duet-part
transfer 1 1 "-o got" parts
says "an unfinished file's" send.err

# large ones that are there: equal, of another size, of the same size
transfer 0 0 "-o got" src/large
same src/large got/large
head -c 4999999 src/large >shorter
cp shorter got/large
transfer 1 1 "-o got" src/large
same shorter got/large
{ printf X && tail -c +2 src/large; } >got/large
transfer 1 1 "-o got" src/large
transfer 0 0 "-o got --force" src/large
same src/large got/large

# each of these asks what is there, and no answer waits for a timer, of a fifth of a second once: some
# try takes less than that together, or little beside as many files that do not ask
mkdir asks plain
for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29; do
    cp src/edge asks/$i
    cp src/below plain/$i
done
for try in 1 2 3 4 5; do
    began=$(date +%s%N)
    transfer 0 0 "-o plain.$try" plain
    between=$(date +%s%N)
    transfer 0 0 "-o asks.$try" asks
    end=$(date +%s%N)
    reference=$(((between - began) / 1000000)) took=$(((end - between) / 1000000))
    [ $took -ge 5500 ] && [ $took -ge $((reference * 5)) ] || break
    [ $try -lt 5 ] || bad "30 files that ask took $took ms, 30 others $reference ms"
done

# names: several, with slashes at the end, `.` and `..`
mkdir many
transfer 0 0 "-o many" src/edge "src/a b/" src/./empty/
[ -f many/edge ] && [ -d many/empty ] && [ -f "many/a b/c/-dash" ] || bad "several paths"
next_port
start recv "$DUET" recv -v -k k -o dot -l 127.0.0.1:$port
listening recv
(cd "src/a b" && duet send -q -k ../../k . 127.0.0.1:$port) || bad "send ."
ended recv 0
[ -f "dot/a b/c/-dash" ] || bad "the name of ."

# ---- Streams ----
next_port
start recv "$DUET" recv -v -k k -o - -l 127.0.0.1:$port
listening recv
duet send -q -k k - 127.0.0.1:$port <src/large || bad "send -"
ended recv 0
same src/large recv.out
transfer 0 0 "-o -" src/large
same src/large recv.out
transfer 1 1 "-o -" src/edge src/below
same src/edge recv.out
next_port
start recv "$DUET" recv -v -k k -o named -l 127.0.0.1:$port
listening recv
duet send -q -k k --name report.txt - 127.0.0.1:$port <src/edge || bad "--name"
ended recv 0
same src/edge named/report.txt

# with --json and --progress json both outputs are for programs: JSON alone
next_port
start recv "$DUET" recv --json --progress json -k k -l 127.0.0.1:$port -o counted
accepts $port
duet send -q -k k src/edge 127.0.0.1:$port || bad "send to --progress json"
ended recv 0
! grep -v '^{.*}$' recv.err || bad "not JSON: $(cat recv.err)"

# ---- The other ways to connect ----
next_port
start send "$DUET" send -v -k k src/edge -l 127.0.0.1:$port
listening send
duet recv -q -k k -o turned 127.0.0.1:$port || bad "recv connects"
ended send 0
same src/edge turned/edge
duet send -q -k k src/edge --exec "exec '$DUET' recv -q -k k --stdio -o executed" || bad "--exec"
same src/edge executed/edge

# ---- Output ----
transfer 0 0 "-o j --json --progress none" src/edge
says '"files": 1, "bytes": 262144' recv.out
next_port
start recv "$DUET" recv -v -q -k k -o quiet -l 127.0.0.1:$port
accepts $port
duet send -q -k k src/edge 127.0.0.1:$port >send.out 2>send.err || bad "quiet"
ended recv 0
[ ! -s send.err ] && [ ! -s send.out ] && [ ! -s recv.out ] || bad "-q is not quiet: $(cat send.err)"

# ---- What is wrong before anything is sent ----
expect 2 "missing argument" duet send -k k
expect 2 "nothing to send" duet send -k k 127.0.0.1:1
expect 9 "missing: No such file or directory; is the path right" duet send -k k missing 127.0.0.1:1
expect 9 "127.0.0.1:1: No such file .* put HOST:PORT last" duet send -k k 127.0.0.1:1 src
expect 9 "standard input: is closed" sh -c 'exec "$DUET" send -k k - 127.0.0.1:1 <&-'
expect 9 "standard output: is closed" sh -c 'exec "$DUET" recv -k k -o - -l 127.0.0.1:1 >&-'
expect 2 "would both be" duet send -k k - - 127.0.0.1:1
expect 2 "auto, plain" duet send -k k src --progress fancy 127.0.0.1:1
expect 3 "refused" duet send -k k src 127.0.0.1:1
expect 9 "Not a directory\|File exists" duet recv -k k -o k -l 127.0.0.1:1
expect 9 "No such file or directory; make the folders above it" duet recv -k k -o no/where -l 127.0.0.1:1
mkdir -m 755 sealed && chmod 555 sealed
who=
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then # root may write anywhere
    who='setpriv --reuid 65534 --clear-groups' && chown 65534 k && chmod 755 .
fi
if [ -n "$who" ] || [ "$(id -u)" -ne 0 ]; then
    expect 9 "sealed: Permission denied; choose a folder where you may write" \
        timeout 300 $who "$DUET" recv -k k -o sealed -l 127.0.0.1:1
    [ -z "$who" ] || chown 0 k
fi

# A few files are put on the disk one by one, many of them all at once.
if [ -n "${SHIM:-}" ]; then
    mkdir small
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        echo $n >small/$n
    done
    # waits NTH KIND: yes where the NTH call of that kind is made
    waits() {
        rm -rf disk seen
        next_port
        start recv env LD_PRELOAD="$SHIM" FAIL_KIND=$2 FAIL_NTH=$1 FAIL_ERRNO=95 FAIL_SEEN=seen \
            "$DUET" recv -v -k k -o disk -l 127.0.0.1:$port
        listening recv
        duet send -q -k k small 127.0.0.1:$port || bad "$1: small files: $(cat recv.err)"
        ended recv 0
        [ -e seen ] && echo yes
    }
    # Systems without syncfs() sync all, and then the folder.
    [ "$(waits 1 syncfs)" = yes ] || [ "$(waits 1 fsync)" = yes ] || bad "30 files are not put on the disk"
    [ "$(waits 4 syncfs)" != yes ] || bad "30 files wait for the disk four times"
    [ "$(waits 9 fsync)" != yes ] || bad "30 files wait for the disk one by one"
fi

# Progress on a terminal is one line that is written anew, where the terminal can do that.
on_terminal() {
    "$PYTHON" -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@"
}
head -c 600000 /dev/zero >slow
for kind in vt100 dumb; do
    next_port
    start recv "$DUET" recv -v -k k -o "$kind" -l 127.0.0.1:$port
    listening recv
    mkfifo fifo.$kind
    { cat slow; sleep 0.5; cat slow; } >fifo.$kind &
    # shellcheck disable=SC2016
    TERM=$kind on_terminal sh -c 'stty cols 30 && exec "$0" send --name a-name-that-is-longer-than-that \
        -k k - 127.0.0.1:$1 <"$2"' "$DUET" $port fifo.$kind >seen </dev/null || bad "on a terminal $kind: $(cat seen)"
    ended recv 0
    [ "$(tr '\r' '\n' <seen | sed -n "s/$(printf '\033').*//p" | awk '{ print length }' | sort -n | tail -1)" = 29 ] ||
        [ $kind = dumb ] || bad "lines that a terminal of 30 columns breaks: $(cat -v seen)"
    case $kind-$(tr '\r' '\n' <seen | grep -c "$(printf '\033')") in
    vt100-[1-9]* | dumb-0) ;;
    *) bad "on a terminal $kind: $(cat -v seen)" ;;
    esac
done
done_testing
