# What the scripts here share: a work folder, expectations, and processes that end with the script.
#
# DUET names the command. Every wait has an end; only processes started here are ended.
set -u
# shellcheck source=../support/ports.sh
. "$(dirname "$0")/../support/ports.sh"
: "${DUET:?names the command under test}"
work=$(mktemp -d)
children=
failures=0

finish() {
    for pid in $children; do
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1

duet() {
    timeout 100 "$DUET" "$@"
}

bad() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# expect CODE TEXT COMMAND...: the command exits with CODE and says TEXT (a basic regular expression)
# on standard error, in one line; its standard output is left in the file `out`.
expect() {
    code=$1 text=$2
    shift 2
    "$@" >out 2>err
    got=$?
    [ $got -eq "$code" ] || bad "exit $got, not $code: $* ($(cat err))"
    if [ -n "$text" ]; then
        grep -q -- "$text" err || bad "'$(cat err)' does not speak of '$text': $*"
        [ "$(grep -vc '^duet: listening on ' err)" -eq 1 ] || bad "more than one line of error: $* ($(cat err))"
    fi
}

# says TEXT FILE
says() {
    grep -q -- "$1" "$2" || bad "$2 does not say '$1': $(cat "$2")"
}

same() {
    cmp "$1" "$2" || bad "$1 and $2 differ"
}

# start NAME COMMAND...: in the background, with NAME.out, NAME.err and NAME.code. The exit code of one
# that was killed may come late: each has a file of its own, and NAME.code is the last one's.
started=0
start() {
    name=$1
    shift
    started=$((started + 1))
    rm -f "$name.err" "$name.code.$started"
    ln -sf "$name.code.$started" "$name.code"
    (
        timeout 100 "$@" >"$name.out" 2>"$name.err" <"${stdin:-/dev/null}" &
        echo $! >"$name.pid"
        wait $!
        echo $? >"$name.code.$started"
    ) &
    children="$children $!"
}

# soon TEXT FILE: wait until the file says it, 30 s at most.
soon() {
    tries=0
    while ! grep -q -- "$1" "$2" 2>/dev/null && [ $tries -lt 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    says "$1" "$2"
}

# listening NAME: wait until its -v line tells that it listens, or until it has ended.
listening() {
    tries=0
    while ! grep -q 'listening on' "$1.err" 2>/dev/null; do
        if [ -s "$1.code" ] || [ $tries -ge 300 ]; then
            bad "$1 does not listen: $(cat "$1.err")"
            return
        fi
        sleep 0.1
        tries=$((tries + 1))
    done
}

# ended NAME CODE: wait for it, and compare its exit code.
ended() {
    tries=0
    while [ ! -s "$1.code" ] && [ $tries -lt 900 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    [ "$(cat "$1.code" 2>/dev/null)" = "$2" ] ||
        bad "$1: exit $(cat "$1.code" 2>/dev/null), not $2: $(cat "$1.err")"
}

done_testing() {
    [ $failures -eq 0 ] || {
        echo "$failures failed" >&2
        exit 1
    }
    exit 0
}
