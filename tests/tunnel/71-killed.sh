#!/bin/sh
# An end of a tunnel is killed while streams go through it: the target is cut off and never
# sees an orderly end, and the sender is cut off as well.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"

# arrived COUNT: the service has so many connections
arrived() {
    [ "$(grep -ci "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' "${service##*:}") [0-9A-F:]* 01 " /proc/net/tcp)" -eq "$1" ]
}

for end in server client; do
    serve_load
    tunnel "$service" -q
    timeout 300 "$load" upload "$near" 6 4000000000 >uploads & uploading=$!
    wait_until arrived 6 || bad "six uploads do not begin"
    eval "kill -9 \$$end"
    wait $uploading && bad "uploads through a dead $end are whole"
    [ "$(value cut uploads)" = 6 ] || bad "the $end is killed: $(tr '\t\n' '= ' <uploads)"
    wait_until arrived 0 || bad "the service still has connections"
    stop "$service_pid" "$server" "$client"
    [ "$(value truncated served)" = 0 ] || bad "the $end is killed, and that was taken for an end"
    [ "$(value cut served)" = 6 ] || bad "the $end is killed: $(tr '\t\n' '= ' <served)"
done
done_testing
