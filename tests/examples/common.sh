# What the scripts here share: the examples, and how each is run.
#
# EXAMPLES names the folder of the programs. WRAP is put before each: valgrind, in a second run, where
# less is sent and a line of valgrind's is a failure.
# shellcheck shell=sh
# shellcheck source=../cli/common.sh
. "$(dirname "$0")/../cli/common.sh"
: "${EXAMPLES:?names the folder of the examples}"
: "${WRAP:=}"

# has NAME: whether the example is built; what is not is reported.
has() {
    [ -x "$EXAMPLES/example_$1" ] || {
        without "$1" "its library is not installed"
        return 1
    }
}

# example NAME ARGUMENT...: runs it.
example() {
    program=$1
    shift
    # shellcheck disable=SC2086 # a list of words
    timeout 300 $WRAP "$EXAMPLES/example_$program" "$@"
}

# serve NAME ARGUMENT...: starts it in the background.
serve() {
    server=$1
    shift
    # shellcheck disable=SC2086 # a list of words
    start "$server" $WRAP "$EXAMPLES/example_$server" "$@"
}

# stop NAME: ends a server in the way that wipes its secret.
stop() {
    kill "$(cat "$1.pid")"
    ended "$1" 0
}

# clean: valgrind has reported nothing.
clean() {
    if grep -l '^==[0-9]*==' ./*.err; then
        cat ./*.err >&2
        bad "valgrind reports an error"
    fi
}

duet keygen -o k >/dev/null 2>&1
duet keygen -o other >/dev/null 2>&1
