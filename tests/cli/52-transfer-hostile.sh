#!/bin/sh
# recv where the disk, the folder or the peer is against it: nothing outside its folder is touched.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null
head -c 3000000 /dev/urandom >large
mkdir src && echo x >src/x

transfer() {
    recv_code=$1 send_code=$2
    shift 2
    next_port
    start recv "$DUET" recv -v -k k -o got -l 127.0.0.1:$port
    listening recv
    duet send -k k "$@" 127.0.0.1:$port 2>send.err
    got=$?
    [ $got -eq "$send_code" ] || bad "send: exit $got, not $send_code: $(cat send.err)"
    ended recv "$recv_code"
}

# a link in the place of the folder, of the file, of its .duet-part
mkdir outside got
echo precious >outside/x
ln -s ../outside got/src
transfer 1 1 src
says "a link or a file stands in the place\|a file or link is there" recv.err
[ "$(cat outside/x)" = precious ] || bad "written through a link"
rm got/src
mkdir got/src
ln -s ../../outside/x got/src/x
transfer 1 1 src
[ "$(cat outside/x)" = precious ] || bad "written through a link"
rm got/src/x
ln -s ../../outside/x got/src/x.duet-part
transfer 0 0 src
same src/x got/src/x
[ "$(cat outside/x)" = precious ] || bad "written through a link"
rm -r got

# a folder where a file is meant, and a file where a folder is
mkdir -p got/large
transfer 1 1 large
says "a folder is there already" recv.err
rm -r got
mkdir got
echo file >got/src
transfer 1 1 src
[ "$(cat got/src)" = file ] || bad "a file was replaced by a folder"
rm -r got

# another receiver has the .duet-part
mkdir got
(
    flock 9
    : >locked
    hold_open
) 9>got/large.duet-part &
children="$children $!"
exists locked
transfer 1 1 large
says "another program is receiving it" recv.err
rm -r got

# a full disk: the peer gets the error, what has come stays, and with more room the transfer resumes
if [ "$(id -u)" -eq 0 ] && mkdir got && mount -t tmpfs -o size=1m tmpfs got 2>/dev/null; then
    transfer 9 1 large
    says "No space left on device; make room and run the same command again" recv.err
    says "No space left on device; make room and run the same command again" send.err
    says "0 files, 0 bytes" send.err # as nothing that was sent is known to be there
    [ -s got/large.duet-part ] || bad "the .duet-part is gone"
    mount -o remount,size=10m got
    transfer 0 0 large
    same large got/large
    umount got
else
    without "a full disk" "no tmpfs may be mounted"
fi
done_testing
