#!/bin/sh
# --user: the process that gave up root still allows neither core dumps nor debuggers.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
[ "$(id -u)" -eq 0 ] && [ -r /proc/self/limits ] && id nobody >/dev/null 2>&1 || {
    echo "only root may become another user, and only Linux shows what a process allows"
    exit 77
}
[ "$(cat /proc/sys/fs/suid_dumpable)" -ne 0 ] || {
    echo "fs.suid_dumpable is 0: this kernel keeps the ban by itself"
    exit 77
}

# allows_nothing PID: Linux gives the files of a process that allows no dumps to root.
allows_nothing() {
    [ "$(stat -c %u "/proc/$1/environ")" -eq 0 ] || bad "process $1 allows dumps"
    grep -q '^Max core file size  *0  *0 ' "/proc/$1/limits" || bad "the limit of core files is not 0"
}

is_nobody() {
    grep -q "^Uid:[^0-9]*$(id -u nobody)[^0-9]" "/proc/$1/status"
}

for workers in 1 2; do
    next_port
    start server "$DUET" server -v -k k --listen "127.0.0.1:$port" --target 127.0.0.1:9 --user nobody --workers $workers
    listening server
    for pid in $(pid server) $(pgrep -P "$(pid server)"); do
        # The workers may still have to start.
        wait_until is_nobody "$pid" || bad "process $pid is not nobody's"
        allows_nothing "$pid"
    done
    stop server
done
done_testing
