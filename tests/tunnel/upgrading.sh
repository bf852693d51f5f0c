# What the scripts about upgrades share: the signal, the process that serves afterwards, and load.
load=$(dirname "$peer")/upgraded.py
chmod 700 . # for control sockets

# now_pid NAME: the process that serves; a later one than start() knows, once there is one.
now_pid() {
    if [ -s "$1-new.pid" ]; then cat "$1-new.pid"; else pid "$1"; fi
}

has_count() {
    [ "$(grep -c "$2" "$3")" -ge "$1" ]
}

# upgrade NAME COUNT: by a signal, for the COUNT-th time.
upgrade() {
    kill -USR2 "$(now_pid "$1")"
    upgraded "$@"
}

# upgraded NAME COUNT: wait until it is.
upgraded() {
    wait_until has_count "$2" 'has taken over' "$1.err" || bad "$1, upgrade $2: $(cat "$1.err")"
    sed -n 's/.*process \([0-9]*\) has taken over.*/\1/p' "$1.err" | tail -1 >"$1-new.pid"
}

gone() {
    case $(ps -o stat= -p "$1") in '' | Z*) return 0 ;; esac
    return 1
}

# stop_new NAME: end the process that serves now, and see that none is left.
stop_new() {
    last=$(now_pid "$1")
    kill -TERM "$last"
    wait_until gone "$last" || bad "process $last of $1 does not end: $(cat "$1.err")"
    wait_until test -s "$1.code" || bad "the first process of $1 does not end: $(cat "$1.err")"
    rm -f "$1-new.pid"
}

# load: connections at $plain from now on, until unload
load() {
    rm -f loaded.out over
    "$PYTHON" "$load" "$plain" over >loaded.out 2>loaded.err &
    loading=$!
    soon begun loaded.out
}

unload() {
    : >over
    wait $loading || bad "under load: $(cat loaded.err) $(cat server.err client.err)"
}
