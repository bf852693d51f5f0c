# Ports for scripts that run beside each other: next_port sets $port to one that is free.
#
# run_test (tests/run/run.c), which starts a script, holds a row of ports for it alone; a script that
# was started by hand starts itself again through run_test. The name of a build's command, DUET, tells
# where run_test is.
# shellcheck shell=sh

if [ -z "${DUET_TEST_PORTS:-}" ]; then
    run_test=$(dirname "${DUET:-build/release/duet}")/tests/run_test
    [ -x "$run_test" ] || {
        echo "$run_test is not built: it holds the ports of a test" >&2
        exit 1
    }
    exec "$run_test" "$0" "$@"
fi
port=$DUET_TEST_PORTS

# A port of this row is another one at each call, and one that nobody uses now, not even a connection
# that is still being closed.
next_port() {
    while :; do
        port=$((port + 1))
        [ $port -lt $((DUET_TEST_PORTS + 100)) ] || {
            echo "more than 99 ports are used by one script" >&2
            exit 1
        }
        grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' $port) " /proc/net/tcp /proc/net/tcp6 \
            2>/dev/null || return 0
    done
}

# fresh_port NAME...: each variable is an address of its own.
fresh_port() {
    for fresh; do
        next_port
        eval "$fresh=127.0.0.1:$port"
    done
}
