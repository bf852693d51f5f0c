#!/bin/sh
# Limits: descriptors that run out and come back, connections in all and from one source.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# seconds of processor time that a process took
spent() {
    awk '{ print ($14 + $15) / 100 }' "/proc/$1/stat"
}

# out of descriptors: it stops accepting, says so once, burns nothing, and goes on when it can
target echo echo
next_port
wire=127.0.0.1:$port
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
listening server
next_port
plain=127.0.0.1:$port
start client sh -c "ulimit -n 64; exec '$DUET' client -v -k k --listen $plain --target $wire"
listening client
peer crowd "$plain" 100 10 seen >crowd.out &
crowd=$!
soon waiting crowd.out
soon 'out of descriptors' client.err
begin=$(date +%s%N) before=$(spent "$(pid client)")
sleep 1.5
after=$(spent "$(pid client)") end=$(date +%s%N)
awk "BEGIN { exit !($after - $before < ($end - $begin) / 4e9) }" || # a loop that spins takes all that it gets
    bad "it spins: from $before to $after seconds of processor time"
: >seen
[ "$(grep -c 'nothing more is accepted' client.err)" -eq 1 ] || bad "the lack is not logged once"
wait $crowd
says 'answered 1[0-9]' crowd.out
peer both "$plain" 1 2 || bad "after the lack"
down

# connections in all: the others wait until one goes; from one source: the others are refused
client_options='--max-connections 3'
up "$target"
held 3
peer both "$plain" 0 2 >both.out 2>&1 &
both=$!
sleep 0.3
release || bad "the first three"
wait $both || bad "those that had to wait: $(cat both.out)"
down
client_options='--max-from-source 2'
up "$target"
held 2
peer be_cut "$plain" >out || bad "a third of one source"
release || bad "the first two"
says 'refused.*its source' client.err
peer both "$plain" 1 || bad "after its source had too many"
down
client_options=

# a reload with a wider limit lets those in who wait, though nobody has gone
limit() {
    printf '[Tunnel a]\nside = client\nlisten = %s\ntarget = %s\nkey = k\nmax-connections = %s\n' \
        "$plain" "$wire" "$1" >conf
}
next_port
wire=127.0.0.1:$port
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
next_port
plain=127.0.0.1:$port
limit 1
start client "$DUET" run -v -c conf
listening server
listening client
held
peer both "$plain" 0 >both.out 2>&1 &
both=$!
sleep 0.3
limit 9
kill -HUP "$(pid client)"
wait $both || bad "a wider limit: $(cat both.out)"
soon 'outcome done' client.err
grep -q 'all echo' hold.out && bad "the first one had to go before the others came"
release || bad "the first one, when the limit grew wider"
down

# unauthenticated peers make room for new ones; authenticated connections never do
server_options='--max-strangers 4 --drain-timeout 30-30'
up "$target"
held
rm -f seen out
peer crowd "$wire" 20 16 seen >out &
crowd=$!
soon waiting out
peer both "$plain" 1 || bad "beside unauthenticated peers"
: >seen
wait $crowd
says 'answered \(1[6-9]\|20\)$' out # four places, and the oldest make room
release || bad "an authenticated one among them"
down
done_testing
