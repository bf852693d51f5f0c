#!/bin/sh
# `duet ctl kill` by what connections have in common: the tunnel, the secret, the identity. Others go on.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
chmod 700 .
target echo echo
mkdir keys
chmod 700 keys
duet keygen -o keys/one >/dev/null
duet keygen -o keys/two >/dev/null
id_of() {
    sed -n 's/^Id = //p' "keys/$1"
}
next_port
wire=127.0.0.1:$port
start server "$DUET" server -v -k keys --control s --listen "$wire" --target "$target"
listening server
for key in one two; do
    next_port
    eval "plain_$key=127.0.0.1:$port"
    start client_$key "$DUET" client -v -k keys/$key --listen "127.0.0.1:$port" --target "$wire"
    listening client_$key
done

# sessions COUNT: so many of the server
sessions() {
    duet ctl --control s --json sessions >out
    [ "$(grep -c '"state":"open"' out)" -eq "$1" ]
}

for key in one two; do
    eval "plain=\$plain_$key"
    start held_$key "$PYTHON" "$peer" hold "$plain" released 2
    soon held held_$key.out
done
wait_until sessions 4 || bad "sessions: $(cat out)"
expect 1 'no connection of that kind' duet ctl --control s kill tunnel=other
expect 1 'no connection of that kind' duet ctl --control s kill secret=0000000000000000
expect 1 'no connection of that kind' duet ctl --control s kill identity=none
expect 2 'tunnel=NAME' duet ctl --control s kill tunnel=
expect 0 '' duet ctl --control s kill "secret=$(id_of one)"
wait_until sessions 2 || bad "after the secret: $(cat out)"
grep -q "$(id_of one)" out && bad "one is left: $(cat out)"
expect 0 '' duet ctl --control s kill tunnel=server
wait_until sessions 0 || bad "after the tunnel: $(cat out)"
[ "$(grep -c 'outcome cut: ended by duet ctl kill' server.err)" -eq 4 ] || bad "log: $(cat server.err)"
stop client_one
stop client_two
stop server
done_testing
