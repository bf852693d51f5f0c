#!/bin/sh
# Peers that are reached through a SOCKS5 or HTTP proxy, which resolves their names, or through a command:
# by tunnels, by a server that dials, and by the commands with one peer.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
folder=$(dirname "$peer")
printf 'ann\nsecret word\n' >login
printf 'ann\nanother\n' >wrong
chmod 600 login wrong

# proxy NAME KIND [USER PASSWORD]: $proxy is its address
proxy() {
    name=$1 kind=$2
    shift 2
    next_port
    proxy=127.0.0.1:$port
    start "$name" "$PYTHON" "$folder/proxies.py" "$kind" "$proxy" "$@"
    listening "$name"
}

meet() {
    timeout 300 "$PYTHON" "$folder/services.py" meet "$plain"
}

next_port
target=127.0.0.1:$port
start named "$PYTHON" "$folder/services.py" named "$target" inside
listening named
next_port
wire=127.0.0.1:$port wire_port=$port
start server "$DUET" server -v -k k --listen "$wire" --target "$target"
listening server

# client NAME OPTION...: $plain is its address
client() {
    client=$1
    shift
    next_port
    plain=127.0.0.1:$port
    start "$client" "$DUET" client -v -k k --listen "$plain" "$@"
    listening "$client"
}

# each kind, without a login and with one; the name is one that only the proxy knows
proxy socks socks
socks=socks5://$proxy
proxy socks-login socks ann 'secret word'
socks_login=socks5://$proxy
proxy http http
http=http://$proxy
proxy http-login http ann 'secret word'
http_login=http://$proxy
client one --target "peer.test:$wire_port" --proxy "$socks"
[ "$(meet)" = inside ] || bad "through SOCKS5: $(cat one.err)"
says "leads to peer.test $wire_port" socks.out
client two --target "peer.test:$wire_port" --proxy "$socks_login" --proxy-auth login
[ "$(meet)" = inside ] || bad "through SOCKS5 with a login: $(cat two.err)"
client three --target "peer.test:$wire_port" --proxy "$http"
[ "$(meet)" = inside ] || bad "through HTTP: $(cat three.err)"
client four --target "peer.test:$wire_port" --proxy "$http_login" --proxy-auth login
[ "$(meet)" = inside ] || bad "through HTTP with a login: $(cat four.err)"
peer both "$plain" 0 8 >out 2>&1 # many at once; the service speaks first, so that only the ends count
! grep -q 'outcome unreached' four.err || bad "some of many were not led: $(cat four.err)"

# what goes wrong is said, and costs the time of a connection attempt at most
client five --target "peer.test:$wire_port" --proxy "$socks_login" --timeout 1
peer be_cut "$plain" >out || bad "no login"
soon 'asks for a login; name its file' five.err
client six --target "peer.test:$wire_port" --proxy "$http_login" --proxy-auth wrong --timeout 1
peer be_cut "$plain" >out || bad "a wrong login"
soon 'answers 407.*: it refuses the user or the password of proxy-auth' six.err
client seven --target "peer.test:$wire_port" --proxy "$socks_login" --proxy-auth wrong --timeout 1
peer be_cut "$plain" >out || bad "a wrong login"
soon 'refuses the user or the password' seven.err
next_port
client eight --target "127.0.0.1:$port" --proxy "$socks" --timeout 1
peer be_cut "$plain" >out || bad "nobody at the end"
soon 'refuses the connection' eight.err
proxy mute mute
client nine --target "peer.test:$wire_port" --proxy "socks5://$proxy" --timeout 2 --handshake-timeout 1
peer be_cut "$plain" >out || bad "a proxy that says nothing"
soon 'does not answer in time' nine.err
client ten --target "peer.test:$wire_port" --proxy "socks5://${http#http://}" --timeout 1 --handshake-timeout 2
peer be_cut "$plain" >out || bad "another kind of proxy"
! grep -h 'secret word\|another' ./*.err || bad "a password is logged"

# the commands with one peer
duet pipe -l -k k "$wire" </dev/null >/dev/null 2>&1 # the port is taken: nothing of it matters
next_port
start pipe "$DUET" pipe -v -k k -l "127.0.0.1:$port"
listening pipe
echo hello | duet pipe -k k --proxy "$http_login" --proxy-auth login "peer.test:$port" || bad "pipe through a proxy"
ended pipe 0
says hello pipe.out
duet ping -k k -c 1 --proxy "$socks" "peer.test:$wire_port" >out 2>&1 || bad "ping through a proxy: $(cat out)"
expect 3 'through the proxy .*answers 407' duet ping -k k --proxy "$http_login" "peer.test:$wire_port"
expect 2 'socks5://HOST:PORT or http' duet ping -k k --proxy "ftp://$proxy" "peer.test:$wire_port"
expect 2 'put them into the file' duet ping -k k --proxy "socks5://ann:word@$proxy" "peer.test:$wire_port"
expect 2 'end that dials' duet pipe -k k -l :1 --proxy "$socks"
chmod 644 login
expect 8 'others can read or write it' duet ping -k k --proxy "$http_login" --proxy-auth login "peer.test:$wire_port"
# systemd's own folder alone is kept from others whatever the modes say
mkdir kept
cp login kept/login
chmod 644 kept/login
keeps() {
    CREDENTIALS_DIRECTORY=$work/kept duet "$@"
}
expect 8 'others can read or write it' keeps ping -k k --proxy "$http_login" --proxy-auth login "peer.test:$wire_port"
keeps ping -k k -c 1 --proxy "$http_login" --proxy-auth "$work/kept/login" "peer.test:$wire_port" >out 2>&1 ||
    bad "a login that systemd keeps: $(cat out)"
chmod 600 login

# a server that dials does it through a proxy, too
next_port
await=127.0.0.1:$port await_port=$port
client relay --await "$await" --timeout 60
start inner "$DUET" server -v -k k --dial "relay.test:$await_port" --target "$target" --proxy "$http"
[ "$(meet)" = inside ] || bad "a server that dials through a proxy: $(cat inner.err relay.err)"

# a command leads there, a new one for each connection
cat >lead.py <<'END'
import os, socket, sys, threading
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def back():
    while piece := s.recv(1 << 16):
        os.write(1, piece)
threading.Thread(target=back, daemon=True).start()
while piece := os.read(0, 1 << 16):
    s.sendall(piece)
END
client by-command --exec "exec $PYTHON $work/lead.py $wire_port"
[ "$(meet)" = inside ] || bad "through a command: $(cat by-command.err)"
[ "$(meet)" = inside ] || bad "through a command again: $(cat by-command.err)"
says 'target exec' by-command.err
client by-nothing --exec 'exit 1' --timeout 1
peer be_cut "$plain" >out || bad "a command that ends"
soon 'outcome unreached' by-nothing.err
expect 2 'in the place of --target' duet client -k k --listen 127.0.0.1:1 --target "$wire" --exec true
expect 2 'this one waits for it' duet server -k k --listen 127.0.0.1:1 --target "$target" --proxy "$socks"
expect 2 'cannot be reached through a proxy' duet client -k k --listen 127.0.0.1:1 --target unix:/x --proxy "$socks"
done_testing
