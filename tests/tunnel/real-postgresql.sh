#!/bin/sh
# PostgreSQL behind a tunnel: pgbench without a failed transaction, every one that was acknowledged is
# there once, and a table copied out is the same as without.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    [ ! -x "$folder/initdb" ] || PATH=$folder:$PATH
done
needs initdb postgres pgbench psql
own data
fresh_port service
(as_nobody initdb -A trust -U bench --no-sync -D data) >initdb.out 2>&1 || bad "$(tail -3 initdb.out)"
launch as_nobody postgres -D data -h 127.0.0.1 -p "$port" -k '' -c fsync=off
await "$service" || bad "postgres does not start"
straight=$port
tunnel "$service"
PGUSER=bench PGDATABASE=postgres PGHOST=127.0.0.1
export PGUSER PGDATABASE PGHOST

query() {
    psql -X -q -A -t -p "$straight" -c "$1"
}

tries=0
until query 'select 1' >/dev/null 2>&1 || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
timeout 200 pgbench -q -i -s 2 -p "${near##*:}" >init.out 2>&1 || bad "pgbench -i: $(tail -3 init.out)"

# run NAME OPTION...: and every transaction that was confirmed is in the history
acknowledged=0
run() {
    name=$1
    shift
    timeout 200 pgbench -n -T "$SECONDS_EACH" "$@" >run.out 2>run.err || bad "pgbench $*: $(cat run.err)"
    done_now=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' run.out)
    acknowledged=$((acknowledged + done_now))
    grep -q '^number of failed transactions: 0 ' run.out || bad "failed transactions: $(cat run.out)"
    echo "$name: $(grep '^tps' run.out)"
}

run "without" -p "$straight" -c 8 -j 2
run "through duet" -p "${near##*:}" -c 8 -j 2
run "through duet, prepared" -p "${near##*:}" -c 8 -j 2 -M prepared
run "through duet, a connection each" -p "${near##*:}" -c 4 -j 2 -C
[ "$(query 'select count(*) from pgbench_history')" = $acknowledged ] ||
    bad "$(query 'select count(*) from pgbench_history') transactions, $acknowledged acknowledged"
sums="select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
    and (select sum(tbalance) from pgbench_tellers) = (select sum(bbalance) from pgbench_branches)
    and (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)"
[ "$(query "$sums")" = t ] || bad "the sums differ"

# a table out and in
copy='copy (select * from pgbench_accounts order by aid) to stdout'
psql -X -q -p "$straight" -c "$copy" >straight
psql -X -q -p "${near##*:}" -c "$copy" >through
same straight through
psql -X -q -p "${near##*:}" -c 'create table again (like pgbench_accounts)' -c '\copy again from through'
[ "$(query 'select count(*) from again')" = "$(wc -l <straight)" ] || bad "rows were lost on their way in"
alive "$server" "$client"
calm "$server" "$client"
done_testing
