#!/bin/sh
# Under traffic a worker is killed, the target is killed, the clock is set, the disk fills up and
# descriptors run out: nothing wrong arrives, a cut is never an end, nothing leaks or spins.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"

quiet_now() {
    alive "$server" "$client"
    settled "$at_rest" "$server" "$client"
    calm "$server" "$client"
}

# rest: what descriptors are open when nothing happens, once all is set up.
rest() {
    timeout 20 "$load" steady "$near" 4 100 0 0 >answer
    sleep 0.5
    at_rest=$(descriptors "$server" "$client")
}

# whole WHEN: what the service saw until now; it starts anew.
whole() {
    stop $service_pid
    [ "$(value truncated served)" = 0 ] || bad "$1: the service took a cut for an end"
    [ "$(value wrong served)" = 0 ] || bad "$1: wrong bytes came to the service"
    "$load" serve "$service" >"$work/served" & service_pid=$!
    started="$started $service_pid"
    await "$service"
}

# workers_of PID: its processes, one at least.
workers_of() {
    tr ' ' '\n' <"/proc/$1/task/$1/children" | grep .
}

echo "== a worker is killed, at either end"
serve_load
tunnel "$service" --workers 2
rest
for end in "$server" "$client"; do
    load_begin steady 20 20000 5 20
    timeout 60 "$load" upload "$near" 8 200000000 >uploads & uploading=$!
    sleep 1
    kill -9 "$(workers_of "$end" | head -1)"
    wait $uploading
    load_end
    loads wrong 0
    [ "$(value stuck uploads)" = 0 ] || bad "an upload knows nothing of its end"
    echo "$(value cut answer) requests cut, $(value refused answer) refused, $(value round_trips answer) answered;" \
        "uploads: $(value complete uploads) complete, $(value cut uploads) cut"
    [ "$(workers_of "$end" | wc -l)" = 2 ] || bad "the worker was not replaced"
done
timeout 100 "$load" steady "$near" 20 20000 1 20 >answer
undisturbed "afterwards"
whole "a killed worker"
quiet_now
stop "$server" "$client"

echo "== the target is killed, and another takes its place"
serve_load
first=$service first_pid=$service_pid
serve_load
tunnel "$first" --target "$service"
kill -9 "$first_pid"
load_begin steady 20 20000 2 10
load_end
undisturbed "the second target"
stop "$server" "$client"

echo "== the only target is killed, and comes back"
tunnel "$service"
rest
load_begin steady 10 20000 6 20
sleep 1
kill -9 $service_pid
wait $service_pid 2>/dev/null
sleep 2
alive "$server" "$client"
"$load" serve "$service" >"$work/served" & service_pid=$!
started="$started $service_pid"
load_end
loads wrong 0
[ "$(value cut answer)" -gt 0 ] || bad "the dead target was not reported to any connection"
echo "$(value cut answer) cut, $(value round_trips answer) round trips"
timeout 100 "$load" steady "$near" 10 20000 1 20 >answer
undisturbed "afterwards"
quiet_now
stop "$server" "$client"

echo "== the clock is set"
fake=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -1)
if [ -n "$fake" ] && ! nm -D "$DUET" 2>/dev/null | grep -q __asan; then
    fresh_port far
    fresh_port near
    echo +0 >clock
    for side in server client; do
        [ $side = server ] && listen=$far target=$service || listen=$near target=$far
        launch env LD_PRELOAD="$fake" FAKETIME_TIMESTAMP_FILE="$work/clock" FAKETIME_NO_CACHE=1 \
            FAKETIME_DONT_FAKE_MONOTONIC=1 "$DUET" $side -k key --listen "$listen" --target "$target"
        eval "$side=\$pid"
    done
    await "$near" && await "$far"
    rest
    load_begin steady 10 20000 5 20
    for offset in +3650d -3650d +1h -1s; do
        sleep 1
        echo $offset >clock
    done
    load_end
    undisturbed "ten years on and back"
    grep -q '^2036' launched.err || bad "the clock was not set"
    quiet_now
    stop "$server" "$client"
else
    echo "left out: libfaketime is not here, or the build has sanitizers"
fi

echo "== the disk is full"
mkdir full
if mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
    trap 'umount "$work/full"; finish' EXIT
    fresh_port far
    fresh_port near
    "$DUET" server -k key --listen "$far" --target "$service" --metrics-file full/metrics \
        --metrics-interval 0.2 2>full/log & server=$!
    launch "$DUET" client -k key --listen "$near" --target "$far"
    client=$pid
    started="$started $server"
    await "$near" && await "$far"
    rest
    head -c 100000 /dev/zero >full/rest 2>/dev/null
    timeout 100 "$load" steady "$near" 10 20000 2 5 >answer
    undisturbed "with nowhere to write"
    rm full/rest
    : >full/log
    sleep 1
    grep -q '^duet_' full/metrics || bad "the metrics do not come back"
    grep -q "$(date -u +%Y)" full/log || timeout 10 "$load" steady "$near" 1 10 0 0 >/dev/null
    grep -q 'outcome' full/log || bad "the log does not come back"
    quiet_now
    stop "$server" "$client"
    umount full
    trap finish EXIT
else
    echo "left out: no tmpfs may be mounted"
fi

echo "== descriptors run out"
cat >few <<'END'
#!/bin/sh
ulimit -n "$1"
shift
exec "$DUET" "$@"
END
chmod +x few
export DUET
for end in server client; do
    fresh_port far
    fresh_port near
    [ $end = server ] && at_server=150 at_client=1000 || at_server=1000 at_client=150
    launch ./few $at_server server -k key --listen "$far" --target "$service"
    server=$pid
    launch ./few $at_client client -k key --listen "$near" --target "$far"
    client=$pid
    await "$near" && await "$far"
    rest
    : >launched.err
    timeout 100 "$load" steady "$near" 200 2000 4 5 >answer
    undisturbed "two hundred at an end that has room for sixty, the $end"
    says 'out of descriptors\|nothing more is accepted' launched.err
    [ "$(grep -c 'nothing more is accepted' launched.err)" -lt 5 ] || bad "a flood of lines"
    quiet_now
    stop "$server" "$client"
done
done_testing
