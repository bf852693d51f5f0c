#!/bin/sh
# SIGTERM: nothing new, what is open goes on until its end or the limit; a second one ends it now.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo

up "$target"
held 2
kill -TERM "$(pid client)" "$(pid server)"
sleep 0.5
peer both "$plain" 0 2>/dev/null && bad "a new connection while it drains"
wait $holding || bad "the open one was not let go on: $(cat hold.err)"
ended client 0
ended server 0

client_options='--shutdown-timeout 1'
up "$target"
held 3
kill -TERM "$(pid client)"
ended client 0
wait $holding && bad "the limit was none"
says 'time to drain' client.err
stop server

client_options=
up "$target"
held 3
kill -TERM "$(pid client)"
sleep 0.5
kill -TERM "$(pid client)"
ended client 0
wait $holding && bad "it was to end now"
says 'told to end now' client.err
stop server
done_testing
