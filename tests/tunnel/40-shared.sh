#!/bin/sh
# Several services behind one port: the peer's secret says which is meant, or its identity where they
# share a secret; who has neither meets silence. Limits, counters and reloads stay each tunnel's own.
# shellcheck disable=SC2034,SC2154 # some variables are set and read by eval
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
services=$(dirname "$peer")/services.py
for key in red blue green other; do
    duet keygen -o $key >/dev/null
done
for name in here ann bob eve; do
    duet keygen --identity -o $name.id >$name.public
done
for name in ann bob; do
    printf '[Peer %s]\nPublicKey = %s\n' $name "$(cat $name.public)" >$name.peers
done

# named NAME: a service that tells its name; $target is its address
named() {
    next_port
    target=127.0.0.1:$port
    start "$1" "$PYTHON" "$services" named "$target" "$1"
    listening "$1"
}

# tunnel NAME KEY [SETTING...]: one more in the server's file
tunnel() {
    eval "to=\$at_$1"
    printf '[Tunnel %s]\nside = server\nlisten = %s\ntarget = %s\nkey = %s\n' "$1" "$wire" "$to" "$2"
    shift 2
    for setting; do
        echo "$setting"
    done
}

# client KEY [OPTION...]: leads to the server; $plain is its address
client() {
    key=$1
    shift
    next_port
    plain=127.0.0.1:$port
    start "client-$port" "$DUET" client -v -k "$key" --listen "$plain" --target "$wire" "$@"
    listening "client-$port"
    client=client-$port
}

# meet: prints the name of the service that the client leads to
meet() {
    timeout 300 "$PYTHON" "$services" meet "$plain"
}

# reached NAME: the client leads to this service
reached() {
    [ "$(meet)" = "$1" ] || bad "the client of $key does not reach $1: $(cat "$client.err" server.err)"
}

# row NAME KEY: a number that duet ctl counts for a tunnel
row() {
    duet ctl --control control status --json >status
    "$PYTHON" -c 'import json, sys
for line in open("status"):
    row = json.loads(line)
    if row.get("tunnel") == sys.argv[1]:
        print(row[sys.argv[2]])' "$1" "$2"
}

for each in red blue green; do
    named $each
    eval "at_$each=$target"
done
next_port
wire=127.0.0.1:$port
{
    printf '[Global]\ncontrol = control\n'
    tunnel red red
    tunnel blue blue 'max-connections = 1'
    tunnel green green
} >conf
start server "$DUET" run -v -c conf
listening server
says 'blue: listening on .*, with red' server.err

# each key leads to its own service, and a key that none has to silence
for each in red blue green; do
    client $each
    reached $each
    eval "plain_$each=$plain"
done
client other --handshake-timeout 2 --timeout 3
peer be_cut "$plain" >out || bad "an unknown key"
soon 'outcome stranger' server.err
[ "$(row blue handshakes)" = 1 ] || bad "blue counts $(row blue handshakes) handshakes: $(cat status)"
[ "$(row red handshakes)" = 1 ] || bad "red counts $(row red handshakes) handshakes: $(cat status)"

# a tunnel at its limit refuses its own peers alone
plain=$plain_blue
rm -f hold.out released
timeout 300 "$PYTHON" "$services" stay "$plain" released >hold.out 2>hold.err &
holding=$!
soon held hold.out
peer be_cut "$plain" >out || bad "a second connection of blue"
soon 'blue.*max-connections is reached' server.err
plain=$plain_green key=green
reached green
: >released
wait $holding || bad "the one connection of blue was lost: $(cat hold.err)"

# kill by tunnel does not mean who has not yet shown which tunnel's he is
"$PYTHON" - "$wire" "$DUET" <<'END' || bad "a peer in its handshake was killed with a tunnel that is not its own"
import socket, subprocess, sys
host, port = sys.argv[1].rsplit(":", 1)
peer = socket.create_connection((host, int(port)))
ctl = [sys.argv[2], "ctl", "--control", "control"]
while f":{peer.getsockname()[1]}" not in subprocess.run([*ctl, "sessions"], capture_output=True, text=True).stdout:
    pass
for tunnel in "red", "blue", "green":
    subprocess.run([*ctl, "kill", "tunnel=" + tunnel], capture_output=True)
peer.settimeout(1)
try:
    peer.recv(1)
except TimeoutError:
    sys.exit(0)
except ConnectionError:
    pass
sys.exit(1)
END

# a reload without the first tunnel leaves the others as they are, and shuts its peers out
{
    printf '[Global]\ncontrol = control\n'
    tunnel blue blue
    tunnel green green
} >conf
kill -HUP "$(pid server)"
soon 'reloaded: new' server.err
for each in blue green; do
    eval "plain=\$plain_$each"
    key=$each
    reached $each
done
client red --handshake-timeout 2 --timeout 3
peer be_cut "$plain" >out || bad "the key of a tunnel that is gone"
stop server

# one secret, and services by identity
at_ann=$at_red at_bob=$at_blue
{
    tunnel ann green 'identity = here.id' 'peers = ann.peers'
    tunnel bob green 'identity = here.id' 'peers = bob.peers'
} >conf
start server "$DUET" run -v -c conf
listening server
client green -i ann.id
reached red
client green -i bob.id
reached blue
client green -i eve.id --handshake-timeout 2 --timeout 3
peer be_cut "$plain" >out || bad "an identity that no tunnel trusts"
soon 'not trusted' server.err
stop server

# the secret of one with the identity of another: neither service, silence, and the log names both
{
    tunnel ann red 'identity = here.id' 'peers = ann.peers' 'drain-timeout = 1-1'
    tunnel bob blue 'identity = here.id' 'peers = bob.peers' 'drain-timeout = 1-1'
} >conf
start server "$DUET" run -v -c conf
listening server
client red -i ann.id
reached red
client blue -i bob.id
reached blue
for pair in red:bob blue:ann; do
    client ${pair%:*} -i ${pair#*:}.id --handshake-timeout 2 --timeout 3
    timeout 300 "$PYTHON" "$services" meet "$plain" >out 2>&1 && bad "$pair reaches $(cat out)"
done
soon 'outcome stranger: its secret is of the tunnel ann, and its identity of bob' server.err
soon 'outcome stranger: its secret is of the tunnel bob, and its identity of ann' server.err
stop server

# tunnels between which nothing decides, and settings needed before the choice, are refused
check() {
    duet run -c conf --check >out 2>&1 && bad "taken: $(cat conf)"
    says "$1" out
}
{
    tunnel red green
    tunnel blue green
} >conf
check 'conf:6: tunnel blue: .* has a key in common'
{
    tunnel ann green 'identity = here.id' 'peers = ann.peers'
    tunnel bob green 'identity = here.id' 'peers = ann.peers'
} >conf
check 'the peer ann in common'
{
    tunnel red red
    tunnel blue blue 'pattern = secret'
} >conf
check 'then pattern must be the same'
{
    tunnel red red
    tunnel blue blue 'listen = 127.0.0.1:9'
} >conf
check 'the same addresses in listen'
{
    tunnel ann red 'identity = here.id' 'peers = ann.peers'
    tunnel blue blue 'identity = here.id'
} >conf
check 'both have peers, or none has'
done_testing
