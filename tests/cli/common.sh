# What the scripts here share: a work folder, expectations, and processes that end with the script.
#
# DUET names the command. Nothing is judged by how fast the machine is: a script waits for an event, up
# to a minute and more, and only processes that it started are ended.
set -u
# shellcheck source=../support/ports.sh
. "$(dirname "$0")/../support/ports.sh"
: "${DUET:?names the command under test}"
work=$(mktemp -d)
children=
failures=0
judged=

finish() {
    status=$?
    for pid in $children $(cat ./*.pid 2>/dev/null); do
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
    # A script whose last line is not done_testing would pass whatever failed.
    [ $status -ne 0 ] || [ -n "$judged" ] || {
        echo "ended without done_testing" >&2
        exit 1
    }
}
trap finish EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1

duet() {
    timeout 300 "$DUET" "$@"
}

# needs_python: PYTHON is one that runs, or the script is skipped.
needs_python() {
    : "${PYTHON:=python3}"
    "$PYTHON" -c '' 2>/dev/null || {
        echo "skipped: python3 is not installed"
        exit 77
    }
}

# without WHAT WHY: reports a part that is left out; scripts/run-tests collects these lines.
without() {
    echo "[  SKIPPED ] $1: $2"
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
    rm -f "$name.out" "$name.err" "$name.pid" "$name.code.$started"
    ln -sf "$name.code.$started" "$name.code"
    (
        timeout 300 "$@" >"$name.out" 2>"$name.err" <"${stdin:-/dev/null}" &
        echo $! >"$name.pid"
        wait $!
        echo $? >"$name.code.$started"
    ) &
    children="$children $!"
    until [ -s "$name.pid" ]; do # on a busy machine the program may come before its number
        sleep 0.01
    done
}

# wait_until COMMAND...: try every tenth of a second until it succeeds, for a minute and a half at least.
wait_until() {
    tries=0
    until "$@" 2>/dev/null; do
        [ $tries -lt 900 ] || return 1
        sleep 0.1
        tries=$((tries + 1))
    done
}

# soon TEXT FILE: wait until the file contains it.
soon() {
    wait_until grep -q -- "$1" "$2"
    says "$1" "$2"
}

# exists FILE: wait until it does.
exists() {
    wait_until test -e "$1" || bad "$1 does not come to be"
}

# listening NAME: wait until its -v line reports that it listens, or until it has ended.
listening() {
    wait_until grep_or_ended "$1"
    grep -q 'listening on' "$1.err" || bad "$1 does not listen: $(cat "$1.err")"
}

grep_or_ended() {
    grep -q 'listening on' "$1.err" || [ -s "$1.code" ]
}

# accepts PORT: wait until something listens there, where the system says so.
accepts() {
    [ ! -r /proc/net/tcp ] || wait_until grep -qi ":$(printf '%04X' "$1") 0*:0000 0A" /proc/net/tcp ||
        bad "nothing listens at port $1"
}

# hold_open: keeps open what it was given, until the script ends; for the background.
hold_open() {
    exec sleep 1000
}

# ended NAME CODE: wait for it, and compare its exit code.
ended() {
    wait_until test -s "$1.code"
    [ "$(cat "$1.code" 2>/dev/null)" = "$2" ] ||
        bad "$1: exit $(cat "$1.code" 2>/dev/null), not $2: $(cat "$1.err")"
}

done_testing() {
    judged=1
    [ $failures -eq 0 ] || {
        echo "$failures failed" >&2
        exit 1
    }
    exit 0
}
