# What the scripts that use real programs share: a tunnel of two processes in front of a service.
#
# They are run by scripts/tunnel; SECONDS_EACH is how long a load lasts. Services run as an unprivileged
# user, on loopback, in a folder of their own, and end with the script.
# shellcheck shell=sh
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../cli/common.sh
. "$here/../cli/common.sh"
# shellcheck source=../../bench/tunnel/processes.sh
. "$here/../../bench/tunnel/processes.sh"
: "${SECONDS_EACH:=3}"
load=$(dirname "$DUET")/bench/duet-load
[ -x "$load" ] || exit 77
chmod 755 "$work"

finish() {
    stop_all
    for one in $children; do
        kill "$one" 2>/dev/null
    done
    [ $failures -eq 0 ] || tail -n 20 "$work"/launched.err "$work"/*.log >&2 2>/dev/null
    rm -rf "$work"
}

# needs PROGRAM...: or this script is skipped.
needs() {
    for one; do
        command -v "$one" >/dev/null || {
            echo "skipped: $one is not here; scripts/setup tunnel installs it"
            exit 77
        }
    done
}

needs_root() {
    [ "$(id -u)" -eq 0 ] || {
        echo "skipped: $* takes root"
        exit 77
    }
}

# as_nobody COMMAND...: without root's rights, where there are any to lose.
as_nobody() {
    if [ "$(id -u)" -eq 0 ]; then
        exec setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups "$@"
    else
        exec "$@"
    fi
}

# own FOLDER...: made, and that user's.
own() {
    mkdir -p "$@"
    [ "$(id -u)" -ne 0 ] || chown nobody "$@"
}

# serve_load: the service of duet-load at $service; stop $service_pid and read $work/served.
serve_load() {
    fresh_port service
    "$load" serve "$service" >"$work/served" & service_pid=$!
    started="$started $service_pid"
    await "$service" || bad "duet-load does not listen"
}

# tunnel TARGET [OPTION...]: a server and a client before it; $near is where plain connections go,
# $client and $server the processes. The options are both ends'.
tunnel() {
    target=$1
    shift
    [ -s key ] || "$DUET" keygen -q -o key >/dev/null
    fresh_port far
    fresh_port near
    launch "$DUET" server -k key --listen "$far" --target "$target" "$@"
    server=$pid
    launch "$DUET" client -k key --listen "$near" --target "$far" "$@"
    client=$pid
    await "$far" && await "$near" || bad "no tunnel: $(tail -5 "$work/launched.err")"
}

alive() {
    for one; do
        kill -0 "$one" 2>/dev/null || bad "process $one has ended: $(tail -5 "$work/launched.err")"
    done
}

# calm PID...: it takes less than a twentieth of a processor while nothing happens.
calm() {
    sleep 1
    before=$(processor "$@")
    sleep 2
    spent=$(($(processor "$@") - before))
    [ $spent -lt 10 ] || bad "spins: $spent hundredths of a second in 2 s"
}

# loads NAME VALUE: what duet-load answered last in the file `answer`.
loads() {
    [ "$(value "$1" answer)" = "$2" ] || bad "$1 is not $2: $(tr '\t\n' '= ' <answer)"
}

# load_begin COMMAND OPERAND...: duet-load at $near in the background; load_end waits for it.
load_begin() {
    what=$1
    shift
    timeout 200 "$load" "$what" "$near" "$@" >answer & loading=$!
    started="$started $loading"
}

load_end() {
    wait $loading
}

# undisturbed WHEN: the load that ended met with nothing at all.
undisturbed() {
    loads refused 0
    loads cut 0
    loads wrong 0
    [ "$(value round_trips answer)" -gt 0 ] || bad "no traffic $1"
    echo "$1: $(value round_trips answer) round trips, $(value connections answer) connections, the slowest" \
        "$(value slowest_ms answer) ms"
}

# descriptors PID...: how many a family has open.
descriptors() {
    # shellcheck disable=SC2046
    for one in $(family "$@"); do
        ls "/proc/$one/fd" 2>/dev/null
    done | wc -l
}

# settled COUNT PID...: no descriptor has leaked, within a few seconds.
settled() {
    wanted=$1
    shift
    tries=0
    while [ "$(descriptors "$@")" -gt "$wanted" ] && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    [ "$(descriptors "$@")" -le "$wanted" ] || bad "$(descriptors "$@") descriptors, $wanted before"
}
