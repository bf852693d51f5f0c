#!/bin/sh
# An ssh session through `duet pipe` as its ProxyCommand and `duet server` before sshd: bytes, exit
# codes, many channels and forwarded ports as without.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
PATH=$PATH:/usr/sbin
needs sshd ssh ssh-keygen
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f user
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
fresh_port service
printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $work/host" "PidFile none" \
    "AuthorizedKeysFile $work/user.pub" "StrictModes no" "UsePAM no" "PermitRootLogin yes" \
    "PasswordAuthentication no" "Subsystem sftp internal-sftp" >sshd.conf
launch "$(command -v sshd)" -D -e -f "$work/sshd.conf"
await "$service" || bad "sshd does not start"
tunnel "$service"
cat >ssh.conf <<END
Host through
    ProxyCommand $DUET pipe -q -k $work/key $far
Host *
    HostName 127.0.0.1
    Port ${service##*:}
    User $(id -un)
    IdentityFile $work/user
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
END
head -c 30000000 /dev/urandom >data

remote() {
    timeout 100 ssh -F ssh.conf through "$@"
}

remote cat <data >got || bad "cat"
same data got
remote "cat >$work/put" <data || bad "put"
same data put
remote 'exit 7'
[ $? -eq 7 ] || bad "the exit code is not 7"
[ "$(remote 'echo out; echo err >&2' 2>err)" = out ] || bad "standard output"
says '^err$' err
command -v sftp >/dev/null && {
    echo "get $work/data $work/by-sftp" | timeout 100 sftp -q -F ssh.conf -b - through >/dev/null || bad "sftp"
    same data by-sftp
}

# many sessions at once
sessions=
for i in 1 2 3 4 5 6 7 8; do
    remote "head -c 3000000 $work/data" >"part.$i" &
    sessions="$sessions $!"
done
for one in $sessions; do
    wait "$one" || bad "one of eight sessions"
done
head -c 3000000 data >part
for i in 1 2 3 4 5 6 7 8; do
    same part "part.$i"
done

# all of these have ended in order: ssh hangs up its ProxyCommand right after its last bytes
sleep 1
! grep 'outcome cut' launched.err || bad "a session that ended is logged as cut"

# a command that is killed takes its ProxyCommand along
timeout 2 ssh -F ssh.conf through 'sleep 60'
sleep 0.5
! pgrep -f "pipe -q -k $work/key" >/dev/null || bad "duet pipe outlives ssh"
alive "$server" "$client"
calm "$server" "$client"
done_testing
