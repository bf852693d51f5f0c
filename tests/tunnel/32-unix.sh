#!/bin/sh
# Unix sockets: abstract names, paths that begin at the file's folder, mode and group of the file,
# which is removed at the end; a target whose queue is full; `duet ctl status` shows where a tunnel listens; users by number.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
chmod 700 .
target echo echo

mode_of() {
    "$PYTHON" -c 'import os, sys; print("%o" % (os.stat(sys.argv[1]).st_mode & 0o777))' "$1"
}

# dialling: the server dials its target, or has failed at that
dialling() {
    grep -q 'outcome' server.err ||
        duet ctl --control server.control sessions --json | grep -q '"state": *"dialling"'
}

# ---- Abstract names, at both ends (Linux) ----
abstract=duet-test-$$
start server "$DUET" server -v -k k --listen "unix:@$abstract-wire" --target "$target"
listening server
start client "$DUET" client -v -k k --listen "unix:@$abstract-plain" --target "unix:@$abstract-wire"
listening client
"$PYTHON" - "$abstract-plain" <<'END' || bad "abstract names do not carry: $(cat client.err)"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(120)
s.connect("\0" + sys.argv[1])
s.sendall(b"word")
s.shutdown(socket.SHUT_WR)
assert s.recv(99) == b"word"
END
for file in ./@*; do
    [ ! -e "$file" ] || bad "a file was made: $file"
done
duet ping -k k "unix:@$abstract-wire" >/dev/null || bad "ping of an abstract name"
expect 3 'another program has this name' duet server -k k --listen "unix:@$abstract-wire" --target "$target"
expect 2 'no name after the @' duet server -k k --listen unix:@ --target "$target"
down

# ---- A service that is busy: its queue is full, and a connection waits for room in it ----
start busy "$PYTHON" "$(dirname "$peer")/services.py" full "$PWD/busy.sock" room
listening busy
server_options="--control server.control"
up "unix:$PWD/busy.sock"
server_options=''
peer both "$plain" 1 >busy.both 2>&1 & asking=$!
wait_until dialling || bad "the connection is not dialled: $(cat server.err)"
sleep 0.5
: >room
wait $asking || bad "a full queue refuses what could wait: $(cat busy.both server.err)"
down
kill "$(pid busy)"

# ---- Paths that begin at the file's folder, and whose the file is ----
mkdir etc elsewhere
cp k etc/k
group=$(id -g)
cat >etc/duet.conf <<END
[Global]
control = ctl
[Tunnel t]
side = server
listen = unix:wire.sock
listen = 127.0.0.1:0
target = $target
key = k
socket-mode = 620
socket-group = $group
socket-owner = $(id -u)
[Tunnel c]
side = client
listen = unix:plain.sock
target = unix:wire.sock
key = k
END
chmod 700 etc
(cd elsewhere && exec "$DUET" run -v -c ../etc/duet.conf 2>../run.err) &
running=$!
children="$children $running"
soon 'c: listening' run.err
[ -S etc/wire.sock ] && [ -S etc/plain.sock ] || bad "not in the file's folder: $(ls etc elsewhere)"
[ "$(mode_of etc/wire.sock)" = 620 ] || bad "mode $(mode_of etc/wire.sock)"
duet ping -k k unix:etc/wire.sock >/dev/null || bad "ping of a path"
duet ctl --control etc/ctl status >out
says '^t .*etc/wire.sock,127.0.0.1:[1-9]' out
sed 's/= 620/= 660/' etc/duet.conf >new && cat new >etc/duet.conf
expect 0 '' duet ctl --control etc/ctl reload
[ "$(mode_of etc/wire.sock)" = 660 ] || bad "mode after a reload $(mode_of etc/wire.sock)"
# a file that was removed is made anew by a reload, and one that fails first changes nothing
rm etc/wire.sock
printf '[Tunnel bad]\nside = server\nlisten = unix:none/such\ntarget = %s\nkey = k\n' "$target" >>etc/duet.conf
expect 3 'old configuration stays' duet ctl --control etc/ctl reload
duet ctl --control etc/ctl status >out || bad "status after it"
cat new >etc/duet.conf
expect 0 '' duet ctl --control etc/ctl reload
[ "$(mode_of etc/wire.sock)" = 660 ] || bad "mode of the new one $(mode_of etc/wire.sock)"
duet ping -k k unix:etc/wire.sock >/dev/null || bad "ping of the new one"
kill -TERM $running
wait $running || bad "its end: $?"
[ ! -e etc/wire.sock ] && [ ! -e etc/plain.sock ] || bad "left: $(ls etc)"

# ---- What is wrong with them ----
expect 2 'socket-mode.*three octal digits' \
    duet server -k k --listen unix:w --target "$target" --socket-mode 888
expect 2 'socket-group.*there is no such group' \
    duet server -k k --listen unix:w --target "$target" --socket-group no-such-group
expect 2 'listens on none' duet server -k k --listen 127.0.0.1:0 --target "$target" --socket-mode 600
expect 3 'make its folder first' duet server -k k --listen unix:none/w --target "$target"
expect 2 'write USER:GROUP' duet server -k k --listen unix:w --target "$target" --user 54321
expect 2 'no such user' duet server -k k --listen unix:w --target "$target" --user no-such-user

# ---- A user by number ----
if [ "$(id -u)" -eq 0 ]; then
    next_port
    start server "$DUET" server -v -k k --listen "127.0.0.1:$port" --target "$target" \
        --user 54321:54322
    listening server
    ids=$(sed -n 's/^[UG]id:\t\([0-9]*\)\t.*/\1/p' "/proc/$(pid server)/status" | tr '\n' ' ')
    [ "$ids" = '54321 54322 ' ] || bad "it runs as $ids"
    stop server
else
    without tunnel/32-unix "users by number take root"
fi
done_testing
