#!/bin/sh
# Redis behind a tunnel: redis-benchmark's counts come out as they must, and a million bytes in and out
# as they were.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
needs redis-server redis-benchmark redis-cli
own data
fresh_port service
launch as_nobody redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$work/data"
await "$service" || bad "redis does not start"
straight=$port
tunnel "$service"
requests=$((SECONDS_EACH * 4800)) # sixteen times fifty divide it

through() {
    redis-cli -p "${near##*:}" "$@"
}

bench() {
    timeout 200 redis-benchmark -q "$@" >bench.out 2>&1 || bad "redis-benchmark $*: $(cat bench.out)"
    ! grep -iE 'error|refused' bench.out || bad "redis-benchmark $*"
}

# every INCR that was answered has been done, once
for way in "-c 50" "-c 50 -P 16" "-c 4 -k 0"; do
    through flushall >/dev/null
    # shellcheck disable=SC2086
    bench -p "${near##*:}" -n $requests $way -t incr
    sed "s/^/through duet, $way: /;s/.*\r//" bench.out | grep 'requests per'
    count=$(redis-cli -p "$straight" get counter:__rand_int__)
    [ "$count" = $requests ] || bad "$count increments of $requests ($way)"
done
bench -p "$straight" -n $requests -c 50 -t incr
sed 's/^/without: /;s/.*\r//' bench.out | grep 'requests per'
bench -p "${near##*:}" -n $requests -c 50 -t set,get,lpush,lrange_100,mset
bench -p "${near##*:}" -n 300 -c 8 -d 1000000 -t set,get

# large values, and all commands at once
head -c 1000000 /dev/urandom | base64 -w 0 >value
through -x set large <value >/dev/null
redis-cli -p "$straight" get large | head -c "$(stat -c %s value)" | cmp - value || bad "SET"
through get large | head -c "$(stat -c %s value)" | cmp - value || bad "GET"
through flushall >/dev/null
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "SET key:%d %d\r\n", i, i * 7 }' >commands
through --pipe <commands | grep -q 'errors: 0, replies: 100000' || bad "--pipe"
[ "$(redis-cli -p "$straight" dbsize)" = 100000 ] || bad "not all keys came"
alive "$server" "$client"
calm "$server" "$client"
done_testing
