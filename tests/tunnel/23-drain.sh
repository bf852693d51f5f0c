#!/bin/sh
# SIGTERM: nothing new, what is open goes on until its end or the limit; a second one ends it now.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo

# refuses PORT: nothing listens there any more
refuses() {
    ! "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $1)).close()"
}

up "$target"
held
kill -TERM "$(pid client)" "$(pid server)"
wait_until refuses "${plain##*:}" || bad "it listens while it drains"
peer both "$plain" 0 2>/dev/null && bad "a new connection while it drains"
release || bad "the established one was cut: $(cat hold.err)"
ended client 0
ended server 0

client_options='--shutdown-timeout 1'
up "$target"
held
kill -TERM "$(pid client)"
ended client 0
release && bad "the limit was none"
says 'time to drain' client.err
stop server

client_options=
up "$target"
held
kill -TERM "$(pid client)"
wait_until refuses "${plain##*:}" || bad "it listens while it drains"
kill -TERM "$(pid client)"
ended client 0
release && bad "it was to end now"
says 'asked to end now' client.err
stop server
done_testing
