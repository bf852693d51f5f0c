#!/bin/sh
# One bad key in a ring shuts nobody else out, at the start and at a reload: a folder, a list, tunnels
# that share an address; none left is an error.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
target echo echo
mkdir ring
for name in alice bob carol dave; do
    duet keygen -q -o ring/$name >/dev/null
done
cp -p ring/* .
next_port
wire=127.0.0.1:$port

# served NAME...: their keys are known there
served() {
    for name; do
        duet ping -c 1 -k "$name" "$wire" >out 2>err || bad "$name is not served: $(cat err)"
    done
}

shut_out() {
    duet ping -c 1 --handshake-timeout 1 --linger 0-0 -k "$1" "$wire" >out 2>err && bad "$1 is served"
}

# reloaded KIND: wait for the next reload, and for what it came to
reloaded() {
    reloads=$(grep -c "$1" server.err)
    kill -HUP "$(pid server)"
    wait_until more_reloads "$1" || bad "no '$1': $(cat server.err)"
}

more_reloads() {
    [ "$(grep -c "$1" server.err)" -gt "$reloads" ]
}

expire() {
    sed -i "s/^Secret/NotAfter = 2024-01-01\nSecret/" "$1"
}

# ---- A folder, at the start ----
expire ring/bob
echo 'not a key' >ring/README
chmod 600 ring/README
duet keygen -q --identity -o ring/other >/dev/null
start server "$DUET" server -v -k ring --listen "$wire" --target "$target"
listening server
served alice carol dave
shut_out bob
says 'ring/bob: expired after 2024-01-01; .*; it is left out' server.err
says 'ring/README:1: neither .*; it is left out' server.err
says 'ring/other: is an identity; .*; it is left out' server.err

# ---- At a reload: one expires, one is damaged, one can be read by others; what stays is served ----
expire ring/carol
head -c 200 dave >ring/dave
chmod 644 ring/alice
reloaded 'not reloaded: the configuration'
says 'no key is left: none of 6 files can be used' server.err
served alice carol dave # as before
chmod 600 ring/alice
reloaded 'reloaded: new connections'
served alice
for name in carol dave; do
    shut_out $name
    says "ring/$name.*; it is left out" server.err
done
cp dave ring/dave
reloaded 'reloaded: new connections'
served alice dave
if [ "$(id -u)" -eq 0 ] && chown 1234 ring/dave 2>/dev/null; then
    reloaded 'reloaded: new connections'
    says 'ring/dave: belongs to another user (1234)' server.err
    served alice
    shut_out dave
    chown 0 ring/dave
fi
stop server

# ---- A list in a file, by its lines; a key in a path's place is not printed ----
cat >conf <<END
[Tunnel one]
side = server
listen = $wire
target = $target
key = ring/bob
key = nothing
key = alice
END
duet run -c conf --check >out 2>err || bad "a list with bad keys: $(cat err)"
says 'conf:1: tunnel one: ring/bob: expired after 2024-01-01' err
says 'conf:1: tunnel one: nothing: No such file' err
start server "$DUET" run -v -c conf
listening server
served alice
stop server

# ---- Tunnels that share an address: each is left out once in the log ----
cat >>conf <<END
[Tunnel two]
side = server
listen = $wire
target = $target
key = ring/carol
key = dave
END
start server "$DUET" run -v -c conf
listening server
served alice dave
[ "$(grep -c 'carol: expired' server.err)" -eq 1 ] || bad "carol is reported otherwise: $(cat server.err)"
stop server

# ---- pipe and recv; none left; a single key has its own error ----
next_port
start listener "$DUET" pipe -v -k ring -l "127.0.0.1:$port"
listening listener
expect 0 "" duet pipe -k alice "127.0.0.1:$port"
ended listener 0
says 'ring/bob: expired' listener.err
rm ring/alice ring/dave
duet pipe -k ring -l 127.0.0.1:1 >out 2>err
[ $? -eq 8 ] || bad "no key is left: $(cat err)"
says 'no key is left: none of 4 files can be used' err
expect 8 'expired after 2024-01-01' duet pipe -k ring/bob -l 127.0.0.1:1
done_testing
