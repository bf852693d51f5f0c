#!/bin/sh
# examples/proprietary: it talks with itself, wiped and without a fault of memory, and not with the
# standard initiation.
# shellcheck source=../cli/common.sh
. "$(dirname "$0")/../cli/common.sh"
: "${PROPRIETARY:?names the example}"
umask 077
head -c 32 /dev/urandom >own.key
head -c 32 /dev/urandom >other.key
line='a line under keys of our own'

# pair KEY KEY [COMMAND...]: bottom and top, under COMMAND; their exit codes in bottom.code, top.code.
pair() {
    bottom_key=$1 top_key=$2
    shift 2
    rm -f back
    mkfifo back
    {
        timeout 120 "$@" "$PROPRIETARY" "$bottom_key" bottom <back 2>bottom.err
        echo $? >bottom.code
    } | {
        timeout 120 "$@" "$PROPRIETARY" "$top_key" top >back 2>top.err
        echo $? >top.code
    }
}

pair own.key own.key
says '^0$' bottom.code
says '^0$' top.code
says "^bottom got: $line$" bottom.err
says "^top got: $line$" top.err

pair other.key own.key
says '^1$' bottom.code
says '^1$' top.code
says 'does not hold the proprietary secret\|did not prove\|closed before' bottom.err
if grep -q got top.err bottom.err; then bad "two secrets talk: $(cat top.err bottom.err)"; fi

# valgrind cannot run what has a sanitizer in it.
if command -v valgrind >/dev/null && ! grep -q __asan_init "$PROPRIETARY"; then
    DUET_KERNEL=portable
    export DUET_KERNEL
    pair own.key own.key valgrind -q --error-exitcode=99 --leak-check=full
    unset DUET_KERNEL
    says '^0$' bottom.code
    says '^0$' top.code
else
    without "valgrind of the example" "valgrind is not installed, or cannot run this build"
fi

# The standard initiation on the other side: nothing is said to it, and it says why at home.
duet keygen -o standard.key >/dev/null 2>&1
expect 1 "" "$PROPRIETARY" missing.key bottom
says 'missing.key: cannot be read' err
timeout 120 "$DUET" pipe --handshake-timeout 5 -k standard.key --exec "'$PROPRIETARY' own.key bottom" </dev/null >out 2>err
code=$?
[ $code -ne 0 ] || bad "the standard initiation and the proprietary one talk"
[ ! -s out ] || bad "the standard side received: $(cat out)"
says 'proprietary: \|not prove' err
if grep -q "bottom got" err; then bad "it got something: $(cat err)"; fi
done_testing
