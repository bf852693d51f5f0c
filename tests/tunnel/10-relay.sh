#!/bin/sh
# What goes through a tunnel comes out unchanged: TCP and Unix sockets, both ways at once, much and
# little, and either side may end first.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

target echo echo
up "$target"
peer both "$plain" 64 || bad "64 MiB both ways"
peer both "$plain" 4 8 || bad "8 at a time"
peer both "$plain" 0 || bad "nothing at all"
peer trickle "$plain" 0.5 >out || bad "small ones"
down
[ "$(grep -c 'outcome done' server.err)" -eq 11 ] || bad "not 11 records: $(cat server.err)"
says 'bytes_in 67108864, bytes_out 67108864' client.err

# Unix sockets at every place
target unix echo unix:target
start server "$DUET" server -v -k k --listen unix:wire --target unix:target
listening server
start client "$DUET" client -v -k k --listen unix:plain --target unix:wire
listening client
peer both unix:plain 8 4 || bad "Unix sockets"
down
[ ! -e wire ] && [ ! -e plain ] || bad "a socket's file stays behind"

if grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null; then
    up "$target" "[::1]:$((port + 2))"
    peer both "$plain" 1 || bad "IPv6"
    down
fi

# one side ends, the other goes on
target late late
up "$target"
peer ask "$plain" 3000 || bad "the client ended first"
down
target early early
up "$target"
peer hear "$plain" 3000 >heard || bad "the target ended first"
peer hear "$plain" 300 100 >again || bad "the target ended first, many times"
soon "$(cat heard)" early.out
down
done_testing
