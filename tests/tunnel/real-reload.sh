#!/bin/sh
# A thousand reloads under traffic, in a build with sanitizers where DUET_ASAN names one: no connection
# is refused or cut, nothing leaks, and new keys, tunnels and faults in the file are met.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
DUET=${DUET_ASAN:-$DUET}
reloads=${RELOADS:-1000}
serve_load
"$DUET" keygen -q -o key >/dev/null
"$DUET" keygen -q -o other >/dev/null
mkdir ring
cp key ring/
extra=
fresh_port far
fresh_port near
fresh_port extra

# configure SIDE [LINE...]
configure() {
    side=$1
    shift
    {
        if [ "$side" = server ]; then
            printf '[Tunnel back]\nside = server\nlisten = %s\ntarget = %s\nkey = ring\n' "$far" "$service"
        else
            printf '[Tunnel front]\nside = client\nlisten = %s\ntarget = %s\nkey = key\n' "$near" "$far"
        fi
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"$side.new"
    mv "$side.new" "$side.conf"
}

configure server
configure client
launch "$DUET" run -c server.conf
server=$pid
launch "$DUET" run -c client.conf
client=$pid
await "$far" && await "$near" || bad "no tunnel: $(tail -3 launched.err)"

# Longer than the reloads can take; it is stopped once they are over.
timeout 400 "$load" steady "$near" 20 20000 "$((reloads / 10 + 5))" 50 >answer & traffic=$!
started="$started $traffic"
n=0
while [ $n -lt "$reloads" ]; do
    n=$((n + 1))
    case $((n % 5)) in
    0) configure server && configure client && cp key ring/ ;;
    1) cp other ring/ ;; # two secrets at once
    2) configure client "[Tunnel more]" "side = client" "listen = $extra" "target = $far" "key = key" ;;
    3) configure server "no such thing" ;; # the old configuration stays
    4) rm -f ring/other && configure server "idle-timeout = 30" ;;
    esac
    kill -HUP "$server" "$client"
    sleep 0.05
done
alive "$server" "$client"
wait $traffic || bad "traffic: $(tr '\t\n' '= ' <answer)"
echo "$reloads reloads of each under $(value round_trips answer) round trips on $(value connections answer)" \
    "connections, the slowest $(value slowest_ms answer) ms"
configure server && configure client
kill -HUP "$server" "$client"
sleep 0.5
timeout 100 "$load" steady "$near" 5 1000 1 10 >answer || bad "after them: $(tr '\t\n' '= ' <answer)"

# Ends in order, and the sanitizer has nothing to say.
kill "$server" "$client"
wait "$client" || bad "the client ends with $?"
wait "$server" || bad "the server ends with $?"
! grep -E 'AddressSanitizer|LeakSanitizer|runtime error' launched.err || bad "the sanitizer speaks"
done_testing
