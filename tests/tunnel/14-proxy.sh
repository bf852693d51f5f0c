#!/bin/sh
# PROXY headers: read from a proxy in front, passed to the target together with the peer.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# the target sees the client of the server, and its secret
target teller teller
server_options='--proxy-protocol out'
up "$target"
peer source_of "$plain" >out || bad "no header at the target"
says '127.0.0.1 127.0.0.1 ' out
says "e0=$(duet key show k | grep -o '[0-9a-f]\{16\}' | head -1)" out
down

# a proxy in front of each end names another source; the client hands it on within the channel
server_options=
client_options='--proxy-protocol both'
up "$target"
peer source_of "$plain" 192.0.2.7 >out || bad "no header through the client"
says '192.0.2.7 198.51.100.1 ' out
soon 'from 192.0.2.7:' client.err
down

# paths of Unix sockets, that a header names or a program has bound
up "$target" unix:plain
peer source_of unix:plain unix:/run/program >out || bad "no header of a path"
says '^/run/program service ' out
down
client_options='--proxy-protocol out'
up "$target" unix:plain
peer source_of unix:plain path=program >out || bad "no header from a path"
says '^program .*plain ' out
down
client_options=
server_options='--proxy-protocol in'
target echo echo
up "$target"
next_port
start front "$PYTHON" "$peer" front "127.0.0.1:$port" "$wire" 192.0.2.8
listening front
next_port
start behind "$DUET" client -v -k k --listen "127.0.0.1:$port" --target "127.0.0.1:$((port - 1))"
listening behind
peer both "127.0.0.1:$port" 1 || bad "behind a proxy"
soon 'from 192.0.2.8:' server.err
stop behind
down

# a peer that sends none, or may not, gets silence from a server and is cut by a client
server_options='--proxy-protocol in --drain-timeout 1-1'
up "$target"
[ "$(peer probe "$wire" 400 100 | cut -d' ' -f1)" = end ] || bad "a server without a header"
soon 'outcome stranger: no PROXY header' server.err
down
client_options='--proxy-protocol in --proxy-from 192.0.2.0/24' server_options=
up "$target"
peer be_cut "$plain" >out || bad "a header from who may send none"
soon 'no proxy whose headers are believed' client.err
down
done_testing
