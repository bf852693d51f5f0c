#!/bin/sh
# An end of a tunnel is killed while streams go through it: the service behind it is cut off and never
# told that a stream has ended, and so is who sends.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
for end in server client; do
    serve_load
    tunnel "$service" -q
    timeout 60 "$load" upload "$near" 6 400000000 >uploads & uploading=$!
    sleep 0.4
    eval "kill -9 \$$end"
    wait $uploading && bad "uploads through a dead $end are whole"
    [ "$(value cut uploads)" = 6 ] || bad "the $end is killed: $(tr '\t\n' '= ' <uploads)"
    sleep 0.2
    stop "$service_pid" "$server" "$client"
    [ "$(value truncated served)" = 0 ] || bad "the $end is killed, and that was taken for an end"
    [ "$(value cut served)" = 6 ] || bad "the $end is killed: $(tr '\t\n' '= ' <served)"
done
done_testing
