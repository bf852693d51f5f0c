#!/bin/sh
# Goal: a port is one service's. A reload may write its address another way, a second service is
# refused, port 0 prints the port that the system chose; with one worker and with two.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo
duet keygen -o other >/dev/null

# configure WORKERS LISTEN
configure() {
    cat >conf <<END
[Global]
workers = $1
[Tunnel t]
side = server
listen = $2
target = $target
key = k
END
}

# taken COUNT: so many processes have taken over a configuration
taken() {
    [ "$(grep -c 'reloaded: new' server.err)" -ge "$1" ]
}

for workers in 1 2; do
    # ---- The same port of another address, narrower and wider ----
    next_port
    wire=127.0.0.1:$port
    configure $workers "0.0.0.0:$port"
    start server "$DUET" run -v -c conf
    listening server
    count=0
    for host in 127.0.0.1 localhost '' 0.0.0.0; do
        configure $workers "$host:$port"
        kill -HUP "$(pid server)"
        count=$((count + workers))
        wait_until taken $count || bad "$workers: to '$host': $(cat server.err)"
        duet ping -k k "$wire" >/dev/null || bad "$workers: '$host' is not served"
    done
    grep 'not reloaded\|not all' server.err && bad "$workers: a reload failed"

    # ---- A second service ----
    for others in 1 2; do
        "$DUET" server -k other --workers $others --listen "$wire" --target "$target" 2>second.err
        code=$?
        [ $code -eq 3 ] || bad "$workers: a second one of $others ends with $code"
        says 'another program has the port' second.err
    done
    for _ in 1 2 3 4 5 6; do
        duet ping -k k "$wire" >/dev/null || bad "$workers: not the first one's key"
    done
    stop server

    # ---- Port 0 ----
    start server "$DUET" server -v -k k --workers $workers --listen :0 --target "$target"
    listening server
    ports=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' server.err | sort -u)
    [ "$(echo "$ports" | wc -l)" -eq 1 ] && [ "${ports:-0}" -gt 0 ] || bad "ports: $ports"
    for _ in 1 2 3 4 5 6; do
        duet ping -k k "127.0.0.1:$ports" >/dev/null || bad "$workers: the port it prints"
    done
    stop server
done

# ---- Two tunnels at one address under two names: a connection would reach either ----
for workers in 1 2; do
    next_port
    configure $workers "127.0.0.1:$port"
    sed -n '/Tunnel/,$p' conf | sed "s/Tunnel t/Tunnel u/; s/127.0.0.1:$port/localhost:$port/" >other.conf
    cp conf one.conf
    cat other.conf >>conf
    expect 2 'localhost:.* is also where t listens, as 127.0.0.1:' duet run -c conf
    cp one.conf conf
    rm -f server.err
    start server "$DUET" run -v -c conf
    listening server
    cat other.conf >>conf
    kill -HUP "$(pid server)"
    soon 'not reloaded' server.err
    says 'is also where t listens' server.err
    duet ping -k k "127.0.0.1:$port" >/dev/null || bad "$workers: the first one is not served any more"
    stop server
done

# ---- A name that nobody resolves is reported once, whatever listens on its port ----
next_port
configure 1 "127.0.0.1:$port"
sed -n '/Tunnel/,$p' conf | sed "s/Tunnel t/Tunnel u/; s/127.0.0.1:$port/nowhere.invalid:$port/" >other.conf
cat other.conf >>conf
expect 3 'nowhere.invalid' duet run -c conf
done_testing
