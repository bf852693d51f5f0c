#!/bin/sh
# Workers: they share the load, one that dies is started again, none outlives the supervisor.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo
server_options='--workers 3'
client_options='--workers 2'

# workers NAME: the numbers of its workers
workers() {
    pgrep -P "$(pid "$1")"
}

# comes WHAT NUMBER COMMAND...: wait until what the command prints is the number
comes() {
    what=$1 number=$2
    shift 2
    wait_until prints "$number" "$@" || bad "$what: $("$@"), not $number: $(cat server.err)"
}

prints() {
    wanted=$1
    shift
    [ "$("$@")" = "$wanted" ]
}

crew() {
    workers server | wc -l
}

ids() {
    grep -o ' id [0-9][0-9]*' server.err | sort -u | wc -l
}

up "$target"
comes "workers" 3 crew
peer both "$plain" 4 12 || bad "through workers"
comes "connections with an id of their own" 12 ids

# one dies: its connections are cut, the others go on, and it comes back
victim=$(workers server | head -1)
kill -KILL "$victim"
soon 'died of signal 9' server.err
peer both "$plain" 1 12 || bad "while one was dead"
comes "workers after one had died" 3 crew
peer both "$plain" 1 12 || bad "after one had died"

# a reload reaches all
kill -HUP "$(pid server)"
comes "workers that were reloaded" 3 grep -c 'reloaded: ' server.err
peer both "$plain" 1 6 || bad "after a reload"

# a signal that comes before a worker handles any is handled later
next_port
cat >early.py <<'END'
import os, signal, subprocess, sys, time

p = subprocess.Popen(sys.argv[1:], stderr=open("early.err", "w"))
begin = time.monotonic()
while time.monotonic() < begin + 0.3 or (
        "reloaded: new" not in open("early.err").read() and time.monotonic() < begin + 100):
    for child in open(f"/proc/{p.pid}/task/{p.pid}/children").read().split():
        try:
            os.kill(int(child), signal.SIGHUP)
        except ProcessLookupError:
            pass  # it died of it: the supervisor tells
p.terminate()
sys.exit(p.wait(200))
END
for _ in 1 2 3; do
    "$PYTHON" early.py "$DUET" server -v -k k --workers 16 --listen "127.0.0.1:$port" --target "$target" ||
        bad "early signals: $(tail -3 early.err)"
    says 'reloaded: new' early.err
    grep -q 'died of signal 1' early.err && bad "a worker died of an early signal"
done

# the supervisor dies, and so do they
stop client
left=$(workers server)
kill -KILL "$(pid server)"
all_gone() {
    for worker in $left; do
        case $(ps -o stat= -p "$worker") in
        '' | Z*) ;; # gone, or a zombie until its new parent reaps it
        *) return 1 ;;
        esac
    done
}
wait_until all_gone || bad "workers outlive their supervisor"

# an orderly end
up "$target" unix:plain
peer both "$plain" 1 4 || bad "a Unix socket that workers share"
down
[ ! -e plain ] || bad "the socket's file stays behind"
done_testing
