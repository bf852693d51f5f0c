#!/bin/sh
# duet run reports every error of a configuration with file and line, serves a good one, and ends on
# SIGTERM.
manual=$(cd "$(dirname "$0")/../.." && pwd)/man/duet.conf.5
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
umask 077

# ---- Every setting is in the manual, and every option that it names is there ----
{ duet server --help && duet client --help; } >help
for name in $(sed -n 's/^\.It Cm \([a-z-]*\) No =.*/\1/p' "$manual"); do
    [ "$name" = side ] || [ "$name" = include ] || says "  *-*[a-z]*,* *--$name\|^ *--$name" help
done
for name in $(sed -n 's/.*--\([a-z-]*\).*/\1/p' help); do
    case $name in
    verbose | quiet | help | passphrase-fd) ;;
    *) says "^\.It Cm $name No =" "$manual" ;;
    esac
done

# ---- Faults ----
mv k a.key
duet keygen --identity -o a.id >/dev/null
expect 2 "no.conf: No such file" duet run -c no.conf
expect 2 "a.key: is a key, peers or profile file" duet run -c a.key # and prints nothing of it
expect 2 "x.conf: is empty" sh -c ': >x.conf && timeout 9 "$DUET" run -c x.conf'
cat >x.conf <<'END'
[Global]
workers = many
user = nobody-at-all
[Tunnel a]
side = server
listen = 80
target = localhost:1
key = none.key
identity = a.id
peers = none.peers
[Tunnel b]
side = client
listen = 127.0.0.1:1
target = localhost:1
key = open.key
colour = red
END
cp a.key open.key
chmod 644 open.key
duet run -c x.conf --check >out 2>err
[ $? -eq 2 ] || bad "faults are not exit 2"
says 'x.conf:2: workers: many: must be a number' err
says 'x.conf:6: listen: 80: no port' err
says 'x.conf:16: colour: no such setting' err
says 'x.conf:4: tunnel a: none.key: No such file' err
says 'x.conf:4: tunnel a: none.peers: No such file' err
says 'x.conf:11: tunnel b: open.key: others can read or write it' err
says 'x.conf:3: user nobody-at-all: there is no such user' err
[ "$(wc -l <err)" -eq 7 ] || bad "not seven faults: $(cat err)"
cp err first
duet run -c x.conf >out 2>err
[ $? -eq 2 ] || bad "it served what is wrong"
same err first
sed -i -e 's/many/2/' -e '/colour/d' -e 's/= 80/= :80/' -e 's/open/a/' -e '/^user/d' -e '/peers/d' x.conf
expect 8 'x.conf:3: tunnel a: none.key: No such file' duet run -c x.conf --check
expect 2 'y.conf:2: user nobody-at-all: there is no such user' sh -c \
    'sed -e s/none/a/ -e "s/workers.*/user = nobody-at-all/" x.conf >y.conf
    timeout 9 "$DUET" run -c y.conf --check'
duet keygen --identity -o b.id --peer b >a.peers
expect 2 'y.conf:3: tunnel a: peers needs identity = FILE' sh -c \
    'sed -e s/none/a/ -e "s/identity.*/peers = a.peers/" x.conf >y.conf
    timeout 9 "$DUET" run -c y.conf --check'

# what a client's plain side would be open to shows before anything is listened on
cat >open.conf <<'END'
[Global]
http = [::]:1
[Tunnel a]
side = client
listen = :1
listen = 127.0.0.1:2
listen = localhost:3
listen = unix:s
target = localhost:1
key = a.key
END
duet run -c open.conf --check >out 2>err
[ $? -eq 2 ] || bad "an open plain side is not exit 2"
says 'http: \[::\]:1 can be reached from other machines.*unsafe-http' err
says 'open.conf:3: tunnel a: :1 can be reached from other machines.*unsafe-listen' err
[ "$(wc -l <err)" -eq 2 ] || bad "not two addresses: $(cat err)"
sed -i -e 's/^http/unsafe-http = yes\n&/' -e 's/^side/unsafe-listen = yes\n&/' open.conf
expect 0 '' duet run -c open.conf --check

# ---- A path begins at the file's folder, and nothing is listened on for --check ----
mkdir -p there/keys here
cp a.key there/keys/
cp a.key here/
target echo echo
next_port
wire=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
cat >there/duet.conf <<END
[Tunnel service]
side = server
listen = $wire
target = $target
key = keys
END
cat >here/duet.conf <<END
[Tunnel way]
side = client
listen = $plain
target = $wire
key = a.key
END
expect 0 '' duet run -c there/duet.conf --check
[ ! -s err ] || bad "a good file gives a message: $(cat err)"
expect 0 'duet.conf: 1 tunnel, no errors' duet run -c there/duet.conf --check -v

# ---- Serving ----
start server "$DUET" run -c there/duet.conf -v
start client "$DUET" run -c here/duet.conf -v
listening server
listening client
peer both "$plain" 1 || bad "what came back is something else"
down
says 'tunnel way.*bytes_out 1048576.*outcome done' client.err
says 'tunnel service.*bytes_in 1048576.*outcome done' server.err

# ---- Included files: served, checked, and read again by a reload ----
mkdir -p parts/conf.d parts/keys
cp a.key parts/keys/
printf 'include = conf.d/*.conf\n[Global]\ncontrol = ctl\n' >parts/duet.conf
expect 2 'parts/duet.conf: no \[Tunnel NAME\]' duet run -c parts/duet.conf --check
sed 's#= keys#= ../keys#' there/duet.conf >parts/conf.d/10-service.conf
start server "$DUET" run -c parts/duet.conf -v
start client "$DUET" run -c here/duet.conf -v
listening server
listening client
peer both "$plain" 1 || bad "through an included tunnel"
next_port
sed -e 's/service/second/' -e "s/^listen.*/listen = 127.0.0.1:$port/" parts/conf.d/10-service.conf \
    >parts/conf.d/20-second.conf
kill -HUP "$(pid server)"
soon "second: listening on 127.0.0.1:$port" server.err
echo 'colour = red' >>parts/conf.d/20-second.conf
kill -HUP "$(pid server)"
soon 'parts/conf.d/20-second.conf:6: colour: no such setting' server.err
soon 'not reloaded' server.err
chmod 666 parts/conf.d/10-service.conf
kill -HUP "$(pid server)"
soon 'parts/duet.conf:1: include: .*10-service.conf: everybody can write it' server.err
peer both "$plain" 1 || bad "after reloads that failed"
down
done_testing
