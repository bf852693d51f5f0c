#!/bin/sh
# Key material is nowhere in a command's memory when it ends, whatever way it ends; while it runs, it is.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# WATCH names tests/memory/watch.c, built; it is not with sanitizers.
[ -n "${WATCH:-}" ] && [ "$(id -u)" -eq 0 ] || {
    echo "only root may look into a process that allows no dumps"
    exit 77
}

# needles KEY-FILE...: bytes and digits of base64, of each secret or private key.
needles() {
    for file; do
        sed -n '/^Secret = /,$p; /^PrivateKey = /p' "$file" | sed 's/.* //' | grep -v '^$' >digits
        base64 -d <digits
        tr -d '\n=' <digits
    done
}

# watched NEEDLES CODE COMMAND...: it ends with CODE, and nothing of it is left in any process.
watched() {
    bytes=$1 code=$2
    shift 2
    timeout 300 "$WATCH" "$bytes" -- "$@" >"$bytes.out" 2>"$bytes.err" </dev/null
    got=$?
    [ $got -eq "$code" ] || bad "exit $got, not $code: $* ($(cat "$bytes.err"))"
    clean "$bytes" "$*"
}

clean() {
    grep -q '^exit 0$' "$1.out" || bad "no search: $2"
    if grep -q '^exit [1-9]' "$1.out"; then bad "left in memory by $2: $(cat "$1.err")"; fi
}

duet keygen -o k >/dev/null
duet keygen -o other >/dev/null
for name in alice bob; do
    duet keygen --identity -o $name.id >$name.public
    printf '[Peer %s]\nPublicKey = %s\n' $name "$(cat $name.public)" >$name.peers
done
needles k alice.id bob.id >all
needles other >wrong
head -c 3000000 /dev/urandom >data

# ---- Keys: made, shown, refused ----
sed '$d' k >short
chmod 600 short
cp k bad
sed -i 's/^Id = .*/Id = 0123456789abcdef/' bad
{
    cat alice.id
    echo "Unknown = x"
} >odd.id
chmod 600 odd.id
watched all 0 "$DUET" key show k
watched all 0 "$DUET" key show alice.id
watched all 8 "$DUET" key show short
watched all 8 "$DUET" key show bad
watched all 8 "$DUET" key show odd.id
for what in "" --identity; do
    for way in "-o made" ">made"; do
        rm -f made late
        mkfifo late
        (
            wait_until "$DUET" key show made >/dev/null # it is whole
            needles made >late
        ) &
        # What is looked for is what it has just made: watch waits for it at the command's end.
        timeout 300 "$WATCH" late -- sh -c "umask 077; exec \"\$0\" keygen -q $what $way" "$DUET" \
            >late.out 2>late.err || bad "keygen $what $way: $(cat late.err)"
        wait $!
        clean late "keygen $what $way"
    done
done

# ---- Channels ----
# searched NAME NEEDLES COMMAND...: in the background, under watch; `midway` looks into it as it runs.
searched() {
    name=$1 bytes=$2
    shift 2
    start "$name" "$WATCH" "$bytes" -- "$@"
}
# midway NAME: the control: while it runs, the secret is there.
midway() {
    for pid in $(pgrep -P "$(cat "$1.pid")"); do # of timeout: watch
        pkill -WINCH -P "$pid"
    done
    wait_until grep -q '^midway [1-9]' "$1.out" || bad "$1 does not hold its secret as it runs: $(cat "$1.out" "$1.err")"
}

mkdir -p in
for pattern in secret ephemeral identity; do
    ids='' idc=''
    if [ $pattern = identity ]; then
        ids="-i alice.id --peers bob.peers" idc="-i bob.id --peers alice.peers"
    fi
    next_port
    # shellcheck disable=SC2086
    searched listener all "$DUET" pipe -v -k k --pattern $pattern $ids -l 127.0.0.1:$port
    listening listener
    midway listener
    # shellcheck disable=SC2086
    watched all 0 "$DUET" pipe -k k --pattern $pattern $idc 127.0.0.1:$port
    ended listener 0
    clean listener "pipe -l, $pattern"
done

next_port
searched receiver all "$DUET" recv -v -k k -o in -l 127.0.0.1:$port
listening receiver
watched all 0 "$DUET" send -q -k k data 127.0.0.1:$port
ended receiver 0
clean receiver recv
same data in/data

# ---- No core is left, though the user would have one ----
next_port
cat >generous <<END
ulimit -c 1000000
exec "$DUET" pipe -v -k k -l 127.0.0.1:$port
END
start listener sh generous
listening listener
for pid in $(pgrep -P "$(cat listener.pid)"); do
    grep -q '^Max core file size  *0  *0 ' "/proc/$pid/limits" || bad "a core may be left"
done
watched all 0 "$DUET" pipe -k k 127.0.0.1:$port
ended listener 0

# another secret, nobody there, and a peer whose command dies
next_port
searched listener all "$DUET" pipe -v -k k --drain-timeout 1-1 -l 127.0.0.1:$port
listening listener
watched wrong 4 "$DUET" ping -k other --handshake-timeout 2 127.0.0.1:$port
watched all 0 "$DUET" pipe -k k 127.0.0.1:$port
ended listener 0
clean listener "pipe -l, after an unauthenticated peer"
next_port
watched all 3 "$DUET" pipe -k k 127.0.0.1:$port
watched all 4 "$DUET" pipe -k k --exec true
done_testing
