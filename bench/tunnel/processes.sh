# shellcheck shell=sh
# Processes that end with the script, and their memory and processor time; for benchmarks and tests of
# tunnels.
#
# A script that sources this sets $work, a folder of its own, and has `stop_all` called at its end.

started=

# launch COMMAND...: in the background; its number goes to $pid, $pids and those that end with us.
launch() {
    "$@" >>"$work/launched.out" 2>>"$work/launched.err" </dev/null &
    pid=$!
    pids="${pids:-} $pid"
    started="$started $pid"
}

stop_all() {
    for one in $started; do
        kill "$one" 2>/dev/null
    done
    for one in $started; do
        wait "$one" 2>/dev/null
    done
    started=
}

# stop PID...
stop() {
    for one; do
        kill "$one" 2>/dev/null
    done
    for one; do
        wait "$one" 2>/dev/null
    done
}

# await 127.0.0.1:PORT: until a process listens there. Fails after ten seconds.
await() {
    hex=$(printf '%04X' "${1##*:}")
    tries=0
    until grep -qi ":$hex 0*:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || return 1
        sleep 0.1
    done
}

# family PID...: these and all their children.
family() {
    for one; do
        echo "$one"
        # shellcheck disable=SC2046
        family $(cat "/proc/$one/task/"*/children 2>/dev/null)
    done
}

# memory PID...: KiB of all of a family, each page that is shared counted once in all (PSS).
memory() {
    # shellcheck disable=SC2046
    for one in $(family "$@"); do
        cat "/proc/$one/smaps_rollup" 2>/dev/null
    done | awk '/^Pss:/ { kib += $2 } END { print kib + 0 }'
}

# processor PID...: hundredths of seconds that a family has had a processor.
processor() {
    # shellcheck disable=SC2046
    for one in $(family "$@"); do
        sed 's/.*) //' "/proc/$one/stat" 2>/dev/null
    done | awk '{ ticks += $12 + $13 } END { print ticks + 0 }'
}

# value NAME FILE: of what duet-load printed.
value() {
    awk -F '\t' -v name="$1" '$1 == name { print $2 }' "$2"
}
