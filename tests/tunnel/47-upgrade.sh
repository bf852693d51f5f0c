#!/bin/sh
# The upgrade of the program by SIGUSR2: no connection is refused, none is cut, no byte is lost; what
# was answered before is not answered again; an upgrade that fails changes nothing.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=upgrading.sh
. "$(dirname "$peer")/upgrading.sh"
target echo echo
cp "$DUET" program # what is replaced
ln program original

ctl() {
    duet ctl --control ctl "$@"
}

# ends_of WORKERS: a server from a file and a client from options, both from the file `program`.
ends_of() {
    fresh_port wire plain
    cat >server.conf <<END
[Global]
workers = $1
control = ctl
[Tunnel web]
side = server
listen = $wire
target = $target
key = k
drain-timeout = 1-1
END
    start server ./program run -v -c server.conf
    start client ./program client -v -k k --workers "$1" --listen "$plain" --target "$wire"
    listening server
    listening client
}

# serves PID: the control socket is a process's or that of its workers
serves() {
    ctl status >status 2>/dev/null && ! grep -v "pid $1," status | grep -q '^worker' ||
        [ "$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' status | xargs -n 1 ps -o ppid= -p | sort -u | tr -d ' ')" = "$1" ]
}

# ---- Five upgrades under load, of processes alone and of workers ----
for workers in 1 2; do
    ends_of $workers
    load
    for round in 1 2 3 4 5; do
        cp original program.new # another file at the same path, as a package manager does
        mv program.new program
        upgrade server $round
        upgrade client $round
        # new workers may bind it a moment after the old ones have let it go
        wait_until serves "$(cat server-new.pid)" || bad "the control socket is another's: $(cat status)"
        ctl reload || bad "a reload after upgrade $round"
    done
    unload
    [ "$(cut -d' ' -f2 loaded.out | tail -1)" -gt 0 ] || bad "nothing was tried: $(cat loaded.out)"
    ctl upgrade
    wait_until has_count 6 'has taken over' server.err || bad "by duet ctl: $(cat server.err)"
    sed -n 's/.*process \([0-9]*\) has taken over.*/\1/p' server.err | tail -1 >server-new.pid
    peer both "$plain" 1 2 || bad "after the last upgrade"
    stop_new client
    stop_new server
    ! grep -qi 'error\|cut' server.err client.err || bad "$(cat server.err client.err)"
    [ -z "$(ls ctl* 2>/dev/null)" ] || bad "a control socket is left"
done

# ---- An upgrade that fails changes nothing ----
for workers in 1 2; do
    ends_of $workers
    load
    before=$(pid server)
    echo "[nonsense" >>server.conf
    kill -USR2 "$before"
    soon 'not upgraded: .* ended with exit code 2' server.err
    sed -i '$d' server.conf
    sed -i "s/^workers = .*/workers = 7/" server.conf
    kill -USR2 "$before"
    soon 'an upgrade keeps their number' server.err
    wait_until has_count 2 'not upgraded' server.err || bad "$(cat server.err)"
    sed -i "s/^workers = .*/workers = $workers/" server.conf
    printf '#!/bin/sh\nexit 1\n' >program.new
    chmod +x program.new
    mv program.new program
    kill -USR2 "$before"
    soon 'not upgraded: .* ended with exit code 1' server.err
    rm program
    kill -USR2 "$before"
    soon 'not upgraded: .* could not be started' server.err
    printf '#!/bin/sh\nexec sleep 400\n' >program
    chmod +x program
    kill -USR2 "$before"
    wait_until has_count 4 'upgrade: .* is started' server.err || bad "$(cat server.err)"
    kill -USR2 "$before"
    soon 'not upgraded: another upgrade is under way' server.err
    [ $workers -gt 1 ] || { # as long as it takes
        soon 'not upgraded: .* was not ready in 30 s' server.err
        ln -f original program
        upgrade server 1
    }
    unload
    ln -f original program
    stop_new client
    stop_new server
done

# ---- What was answered before is not answered again, and the rest is ----
cat >record.py <<'END'
import socket, sys
a = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on", sys.argv[1], file=sys.stderr, flush=True)
s, _ = a.accept()
open(sys.argv[2], "wb").write(s.recv(65536))
END
cat >play.py <<'END'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(open(sys.argv[2], "rb").read())
s.settimeout(120)
print("answered" if s.recv(65536) else "silence", flush=True)
END
record() {
    next_port
    start recorder "$PYTHON" record.py $port "$1"
    listening recorder
    expect 4 "" duet ping -q -k k --handshake-timeout 1 --linger 0-0 127.0.0.1:$port
    ended recorder 0
}
plays() {
    "$PYTHON" play.py "${wire##*:}" "$2" >played
    says "^$1\$" played
}
for workers in 1 2; do
    ends_of $workers
    record one
    record two
    plays answered one
    upgrade server 1
    plays silence one
    plays answered two
    upgrade server 2
    plays silence one
    plays silence two
    stop_new client
    stop_new server
done

# ---- A Unix socket, and one that was passed ----
cat >pass.py <<'END'
import os, socket, sys

host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_server((host, int(port)))
os.dup2(s.fileno(), 4)
os.set_inheritable(4, True)
os.execv(sys.argv[2], sys.argv[2:])
END
fresh_port wire
plain=unix:$work/plain
start server "$PYTHON" pass.py "$wire" ./program server -v -k k --listen fd:4 --target "$target"
start client ./program client -v -k k --listen "$plain" --socket-mode 0660 --target "$wire"
listening server
listening client
load
for round in 1 2 3; do
    upgrade server $round
    upgrade client $round
    [ "$(stat -c %a plain)" = 660 ] || bad "the socket's mode: $(ls -l plain)"
done
unload
stop_new server
stop_new client
[ ! -e plain ] || bad "the socket's file is left"

# ---- Under systemd ----
mkdir credentials
cp k credentials/secret
fresh_port wire plain
cat >server.conf <<END
[Tunnel web]
side = server
listen = systemd:web
target = $target
key = credential:secret
END
start systemd "$PYTHON" "$(dirname "$peer")/ends.py" systemd "$work" "$wire" "$DUET" run -c server.conf
start client "$DUET" client -v -k k --listen "$plain" --target "$wire"
listening client
soon '^READY=1' systemd.out
held
kill -USR2 "$(pgrep -P "$(pid systemd)")"
soon '^MAINPID=' systemd.out
main=$(sed -n 's/^MAINPID=//p' systemd.out)
echo "$main" >systemd-new.pid
wait_until has_count 2 '^READY=1' systemd.out || bad "the new one is not ready: $(cat systemd.out)"
signs=$(grep -c '^WATCHDOG=1' systemd.out)
wait_until has_count $((signs + 3)) '^WATCHDOG=1' systemd.out || bad "no signs of life"
peer both "$plain" 1 || bad "through the socket of systemd"
kill -TERM "$main"
soon '^STOPPING=1' systemd.out
wait_until gone "$main" || bad "process $main does not end"
release || bad "the connection of before was cut: $(cat hold.err hold.out systemd.err systemd.out client.err)"
soon '^exit 0$' systemd.out
ended systemd 0
stop client
grep -v WATCHDOG systemd.out | cut -d' ' -f1 | sed 's/=[0-9]*$//' | tr '\n' ' ' >sequence
says '^READY MAINPID READY STOPPING exit $' sequence
done_testing
