#!/bin/sh
# Redis, PostgreSQL and sshd behind one port of one server: each client reaches the service whose key
# it has, also while the server reloads.
# shellcheck disable=SC2154 # some variables are set by eval
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
PATH=$PATH:/usr/sbin
for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    [ ! -x "$folder/initdb" ] || PATH=$folder:$PATH
done
needs redis-server redis-benchmark redis-cli initdb postgres pgbench psql sshd ssh ssh-keygen
own data redis

fresh_port redis_at
launch as_nobody redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$work/redis"
fresh_port postgresql_at
(as_nobody initdb -A trust -U bench --no-sync -D data) >initdb.out 2>&1 || bad "$(tail -3 initdb.out)"
launch as_nobody postgres -D data -h 127.0.0.1 -p "$port" -k '' -c fsync=off
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f user
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
fresh_port ssh_at
printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $work/host" "PidFile none" \
    "AuthorizedKeysFile $work/user.pub" "StrictModes no" "UsePAM no" "PermitRootLogin yes" >sshd.conf
launch "$(command -v sshd)" -D -e -f "$work/sshd.conf"
fresh_port far
for one in redis postgresql ssh; do
    eval "to=\$${one}_at"
    await "$to" || bad "$one does not start"
    "$DUET" keygen -q -o $one.key >/dev/null
    printf '[Tunnel %s]\nside = server\nlisten = %s\ntarget = %s\nkey = %s.key\n' $one "$far" "$to" $one
done >conf
launch "$DUET" run -c conf
server=$pid
await "$far" || bad "the server does not listen"
for one in redis postgresql ssh; do
    fresh_port near
    eval "${one}_near=\$port"
    launch "$DUET" client -k $one.key --listen "$near" --target "$far"
    await "$near" || bad "the client for $one does not listen"
done

PGUSER=bench PGDATABASE=postgres PGHOST=127.0.0.1
export PGUSER PGDATABASE PGHOST
tries=0
until psql -X -q -p "$postgresql_near" -c 'select 1' >/dev/null 2>&1 || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
timeout 200 pgbench -q -i -s 1 -p "$postgresql_near" >init.out 2>&1 || bad "pgbench -i: $(tail -3 init.out)"
head -c 3000000 /dev/urandom >data.bytes

# all three at once, with reloads between
timeout 200 pgbench -n -T "$SECONDS_EACH" -c 4 -j 2 -C -p "$postgresql_near" >pgbench.out 2>&1 & bench=$!
timeout 200 redis-benchmark -q -p "$redis_near" -n $((SECONDS_EACH * 2000)) -c 20 -k 0 -t incr >redis.out 2>&1 & requests=$!
for turn in 1 2 3 4 5; do
    timeout 100 ssh -q -i user -p "$ssh_near" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        "$(id -un)@127.0.0.1" cat <data.bytes >got || bad "ssh, turn $turn"
    same data.bytes got
    kill -HUP "$server"
done
wait $bench || bad "pgbench: $(cat pgbench.out)"
wait $requests || bad "redis-benchmark: $(cat redis.out)"
grep -q '^number of failed transactions: 0 ' pgbench.out || bad "failed transactions: $(cat pgbench.out)"
[ "$(redis-cli -p "$redis_near" get counter:__rand_int__)" = $((SECONDS_EACH * 2000)) ] || bad "increments were lost"
grep '^tps' pgbench.out
alive "$server"
calm "$server"
done_testing
