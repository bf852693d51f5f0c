#!/bin/sh
# Ten thousand idle connections through a client and a server, by as many workers as the limit of
# descriptors asks for; what each costs; then a request on all at a time.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
count=${CONNECTIONS:-10000}
each=4096 # bytes of the requests

# An end takes two descriptors for a connection; the load and the service take one. All raise their limit to
# the hard one.
limit=$(awk '/^Max open files/ { print $5 }' /proc/self/limits)
[ "$limit" != unlimited ] || limit=1048576
[ "$limit" -gt $((count + 100)) ] || {
    echo "skipped: $count connections need a limit of $((count + 100)) descriptors, and it is $limit"
    exit 77
}
# The kernel spreads connections over workers by chance: each is given room for a quarter more.
workers=$((count * 5 / 2 / limit + 1))
serve_load
tunnel "$service" --workers "$workers" --max-connections $((count * 2)) --max-half-open 4096

pss=$(memory "$server" "$client")
kernel() {
    awk '/^Slab:/ { kib += $2 } /^Committed/ { exit } END { print kib + 0 }' /proc/meminfo
}
sockets=$(kernel)
mkfifo go

# hold: connections that idle until a line goes to descriptor 3
hold() {
    timeout 200 "$load" hold "$near" "$count" $each <go >answer & holder=$!
    started="$started $holder"
    exec 3>go
    tries=0
    until grep -q held answer || [ $tries -gt 900 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    loads held "$count"
    sleep 1
}

traffic_on_all() {
    echo go >&3
    exec 3>&-
    wait $holder || bad "traffic on all: $(tr '\t\n' '= ' <answer)"
    loads answered "$count"
    loads wrong 0
}

hold
held=$(memory "$server" "$client")
bytes=$(((held - pss) * 1024 / count))
echo "$count idle connections, $workers workers at each end: $bytes bytes each of client and server" \
    "together, $((($(kernel) - sockets) * 1024 / count)) bytes of the kernel's for all six sockets"
[ $bytes -lt 8192 ] || bad "an idle connection takes 4 KiB or more at an end"
calm "$server" "$client"
traffic_on_all
alive "$server" "$client"
sleep 2
calm "$server" "$client"

# as many again find their room in what those before have left
hold
again=$(memory "$server" "$client")
echo "the next $count: $((again - held)) KiB more in all"
[ $((again - held)) -lt $((held / 4)) ] || bad "memory grows from $held to $again KiB"
traffic_on_all
stop $service_pid
[ "$(value accepted served)" = $((count * 2)) ] || bad "$(value accepted served) came to the service"
done_testing
