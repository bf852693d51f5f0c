#!/bin/sh
# Through real proxies: ssh -D, squid, and ssh itself as the command that leads to the server.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
PATH=$PATH:/usr/sbin
needs sshd ssh ssh-keygen
serve_load
"$DUET" keygen -q -o key >/dev/null
fresh_port far
launch "$DUET" server -k key --listen "$far" --target "$service"
server=$pid
await "$far" || bad "the server does not listen"

ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f user
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
fresh_port ssh_at
printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $work/host" "PidFile none" \
    "AuthorizedKeysFile $work/user.pub" "StrictModes no" "UsePAM no" "PermitRootLogin yes" \
    "AllowTcpForwarding yes" "MaxSessions 100" "MaxStartups 100" >sshd.conf
launch "$(command -v sshd)" -D -e -f "$work/sshd.conf"
# shellcheck disable=SC2154 # fresh_port sets it
await "$ssh_at" || bad "sshd does not start"
ssh="ssh -q -i $work/user -p ${ssh_at##*:} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null $(id -un)@127.0.0.1"

# through OPTION...: a client that goes this way, under load
through() {
    fresh_port near
    launch "$DUET" client -k key --listen "$near" "$@"
    client=$pid
    await "$near" || bad "the client does not listen: $*"
    timeout 100 "$load" steady "$near" 4 20000 "$SECONDS_EACH" 10 >answer
    undisturbed "$1 $2"
    alive "$client"
    stop "$client"
}

fresh_port socks_at
# shellcheck disable=SC2086,SC2154
launch $ssh -N -D "$socks_at"
await "$socks_at" || bad "ssh -D does not listen"
through --proxy "socks5://$socks_at" --target "localhost:${far##*:}"
through --exec "exec $ssh -W $far"

if command -v squid >/dev/null; then
    fresh_port squid_at
    own squid
    # shellcheck disable=SC2154
    printf '%s\n' "http_port $squid_at" "acl here src 127.0.0.1" "http_access allow here" "cache deny all" \
        "access_log none" "cache_log $work/squid/log" "pid_filename none" "coredump_dir $work/squid" \
        "logfile_rotate 0" "shutdown_lifetime 1 seconds" "max_filedescriptors 1024" >squid.conf
    launch as_nobody squid -N -f "$work/squid.conf"
    await "$squid_at" || bad "squid does not start: $(tail -3 squid/log)"
    through --proxy "http://$squid_at" --target "localhost:${far##*:}"
else
    without squid "it is not installed"
fi
alive "$server"
calm "$server"
done_testing
