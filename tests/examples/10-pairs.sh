#!/bin/sh
# The examples of two ends do what their heads say, and end with a sentence where they cannot.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
lines="one
two and three
"
head -c 3000000 /dev/urandom >mine
head -c 1000001 /dev/urandom >yours

# ---- echo ----
next_port
serve echo_server k $port
accepts $port
printf '%s' "$lines" | example echo_client k 127.0.0.1 $port >got 2>echo_client.err || bad "echo: $(cat echo_client.err)"
printf '%s' "$lines" | cmp - got || bad "the echo is another"
duet pipe -k k 127.0.0.1:$port <mine >got 2>pipe.err || bad "pipe to echo_server: $(cat pipe.err)"
same mine got
stop echo_server
expect 1 "^nowhere: " example echo_client nowhere 127.0.0.1 $port
expect 1 "refused" example echo_client k 127.0.0.1 $port

# ---- poll ----
next_port
stdin=mine serve poll_pipe k listen $port
accepts $port
example poll_pipe k connect 127.0.0.1 $port <yours >got 2>poll.err || bad "poll_pipe: $(cat poll.err)"
ended poll_pipe 0
same mine got
same yours poll_pipe.out

# ---- requests ----
for ask in "reverse hello olleh" "count hello 5"; do
    set -- $ask
    next_port
    serve requests k listen $port
    accepts $port
    [ "$(example requests k connect 127.0.0.1 $port "$1" "$2" 2>requests_client.err)" = "$3" ] ||
        bad "requests $1: $(cat requests_client.err)"
    ended requests 0
done

# ---- exchange ----
next_port
serve exchange k mine got1 listen $port
accepts $port
example exchange k yours got2 connect 127.0.0.1 $port 2>exchange_client.err || bad "exchange: $(cat exchange_client.err)"
ended exchange 0
same mine got2
same yours got1

# ---- preset ----
next_port
serve preset k listen $port
accepts $port
[ "$(example preset k connect 127.0.0.1 $port 2>preset_client.err)" = "hello from BOTTOM" ] ||
    bad "preset: $(cat preset_client.err)"
ended preset 0
says "hello from TOP" preset.out

# ---- over a command, and over ssh where sshd is here ----
over() {
    rm -f copy
    example over_ssh k "a line from here" "$@" >got 2>over_ssh.err || bad "over_ssh $1: $(cat over_ssh.err)"
    same yours got
    printf 'a line from here' | cmp - copy || bad "over_ssh $1: the peer has something else"
}
far="'$DUET' pipe -k '$work/k' --stdio --in '$work/yours' --out '$work/copy'"
over sh -c "$far"
PATH=$PATH:/usr/sbin
if command -v sshd >/dev/null && command -v ssh >/dev/null; then
    ssh-keygen -q -t ed25519 -N '' -f host
    ssh-keygen -q -t ed25519 -N '' -f user
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    next_port
    printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $work/host" "PidFile none" \
        "AuthorizedKeysFile $work/user.pub" "StrictModes no" "UsePAM no" "PermitRootLogin yes" >sshd.conf
    start sshd "$(command -v sshd)" -D -e -f "$work/sshd.conf"
    accepts $port
    over ssh -p $port -i "$work/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR 127.0.0.1 "$far"
else
    without over_ssh "sshd is not installed: a plain command was used"
fi

# ---- sans-I/O ----
example sans_io k >sans_io.out 2>sans_io.err || bad "sans_io: $(cat sans_io.err)"
says "hello" sans_io.out

# ---- TLS ----
if has tls_below && command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=example -keyout key.pem -out cert.pem 2>/dev/null
    next_port
    serve tls_below k cert.pem key.pem listen $port
    accepts $port
    [ "$(example tls_below k - - connect 127.0.0.1 $port 2>tls_client.err)" = "hello from BOTTOM" ] ||
        bad "tls_below: $(cat tls_client.err)"
    ended tls_below 0
    says "hello from TOP" tls_below.out
else
    without tls_below "openssl is not installed"
fi
clean

done_testing
