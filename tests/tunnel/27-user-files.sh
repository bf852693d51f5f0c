#!/bin/sh
# --user: root takes the files that the user it becomes can read again at a reload, and no others.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
[ "$(id -u)" -eq 0 ] && id nobody >/dev/null 2>&1 && chown nobody k 2>/dev/null || {
    echo "only root may become another user"
    exit 77
}
chmod 755 .
user=$(id -u nobody) group=$(id -g nobody)

# rights OWNER:GROUP MODE
rights() {
    chown "$1" k
    chmod "$2" k
}

# serves: it starts as root, and reads the key again as nobody
serves() {
    start server "$DUET" server -v -k k --listen "127.0.0.1:$port" --target 127.0.0.1:9 --user nobody
    listening server
    kill -HUP "$(pid server)"
    soon 'reloaded' server.err
    ! grep 'not reloaded' server.err || bad "no reload of a key that is $(stat -c '%u:%g %a' k)"
    stop server
}

# refused TEXT [OPTION...]
refused() {
    text=$1
    shift
    expect 8 "$text" duet server -k k --listen "127.0.0.1:$port" --target 127.0.0.1:9 "$@"
}

next_port
rights "$user:$group" 600
serves
rights "0:$group" 640
serves
mkdir -m 755 folder # of root
expect 9 'control socket folder/ctl: .*; its folder must belong to the user that runs duet' \
    duet server -q -k k --listen "127.0.0.1:$port" --target 127.0.0.1:9 --user nobody --control folder/ctl
rights "0:4321" 640
refused 'mode 640); give it to the user that runs duet and chmod 600 it, or to its group' --user nobody
rights "0:$group" 660
refused 'mode 660)' --user nobody
rights "4321:$group" 600
refused 'belongs to another user (4321)' --user nobody
# who stays root takes neither
rights "$user:$group" 600
refused 'belongs to another user'
rights "0:$group" 640
refused 'mode 640); chmod 600 it'
refused 'mode 640); chmod 600 it' --user root
done_testing
