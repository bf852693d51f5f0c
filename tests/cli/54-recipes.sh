#!/bin/sh
# The recipes of docs/recipes.md: ssh and what runs over it, an rsync daemon, tar, each with the programs that
# are here.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
sshd=$(command -v sshd || command -v /usr/sbin/sshd || true)
duet keygen -o k >/dev/null
mkdir -p photos/2001
head -c 3000000 /dev/urandom >photos/2001/one
echo two >photos/two
chmod 755 .

# tar
start recv sh -c '"$0" pipe -q -k k -l unix:wire </dev/null | tar -x -C got' "$DUET"
mkdir got
exists wire
tar -c photos | duet pipe -q -k k unix:wire >/dev/null || bad "tar"
ended recv 0
diff -r photos got/photos || bad "tar: not the same"

# a file that takes its name when all is there
start recv sh -c '"$0" pipe -q -k k -l unix:dumps --out dump.new </dev/null && mv dump.new dump' "$DUET"
exists dumps
duet pipe -q -k k unix:dumps <photos/2001/one >/dev/null || bad "dump"
ended recv 0
wait_until test -e dump && same photos/2001/one dump || bad "dump: not the same"

if ! command -v rsync >/dev/null; then
    without "rsync" "it is not installed"
else
    next_port && daemon=$port
    next_port && wire=$port
    next_port && plain=$port
    mkdir module
    cat >rsyncd.conf <<END
use chroot = no
uid = $(id -u)
gid = $(id -g)
[backup]
path = $work/module
read only = no
END
    start rsyncd rsync --daemon --no-detach --address 127.0.0.1 --port "$daemon" --config rsyncd.conf
    start server "$DUET" server -q -k k --listen 127.0.0.1:"$wire" --target 127.0.0.1:"$daemon"
    start client "$DUET" client -q -k k --listen 127.0.0.1:"$plain" --target 127.0.0.1:"$wire"
    accepts "$daemon" && accepts "$wire" && accepts "$plain"
    rsync -a photos "rsync://127.0.0.1:$plain/backup/" || bad "rsync"
    diff -r photos module/photos || bad "rsync: not the same"
fi

if [ -z "$sshd" ] || ! command -v ssh-keygen >/dev/null; then
    without "ssh" "no sshd here"
    done_testing
fi
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
for name in host user; do
    ssh-keygen -q -t ed25519 -N '' -f $name
done
next_port && ssh=$port
next_port && wire=$port
cat >sshd.conf <<END
Port $ssh
ListenAddress 127.0.0.1
HostKey $work/host
AuthorizedKeysFile $work/user.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
Subsystem sftp internal-sftp
END
cat >ssh.conf <<END
Host files.example
    ProxyCommand $DUET pipe -q -k $work/k 127.0.0.1:$wire
    IdentityFile $work/user
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    User $(id -un)
END
start sshd "$sshd" -D -e -f sshd.conf
start sshserver "$DUET" server -q -k k --listen 127.0.0.1:"$wire" --target 127.0.0.1:"$ssh"
accepts "$ssh" && accepts "$wire"
if ! ssh -F ssh.conf files.example true 2>err; then
    without "ssh" "this machine lets nobody in: $(tail -1 err)"
    done_testing
fi
[ "$(ssh -F ssh.conf files.example cat "$work/photos/two")" = two ] || bad "ssh"
scp -q -F ssh.conf photos/2001/one "files.example:$work/copied" && same photos/2001/one copied || bad "scp"
if command -v rsync >/dev/null; then
    mkdir over
    rsync -a -e "ssh -F $work/ssh.conf" photos "files.example:$work/over/" && diff -r photos over/photos || bad "rsync over ssh"
fi
if command -v git >/dev/null; then
    git init -q --bare project.git
    GIT_SSH_COMMAND="ssh -F $work/ssh.conf" git clone -q "files.example:$work/project.git" cloned 2>/dev/null || bad "git clone"
fi
if command -v borg >/dev/null; then
    export BORG_RSH="ssh -F $work/ssh.conf" BORG_BASE_DIR="$work" BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
    borg init -e none "ssh://files.example$work/repository" 2>err &&
        borg create "ssh://files.example$work/repository::one" photos 2>err || bad "borg: $(cat err)"
fi
done_testing
