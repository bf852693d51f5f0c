#!/bin/sh
# The configurations in examples/: duet, and the programs that they are for where these are here, find
# nothing wrong with them.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../cli/common.sh
. "$here/../cli/common.sh"
examples=$here/../../examples
PATH=$PATH:/usr/sbin
duet keygen -o secret.key >/dev/null
CREDENTIALS_DIRECTORY=$work
export CREDENTIALS_DIRECTORY

# check FILE: with this folder's key
check() {
    sed "s#/etc/duet/secret.key#$work/secret.key#" "$1" >checked.conf
    duet run -c checked.conf --check >out 2>&1 || bad "$1: $(cat out)"
}

check "$examples/haproxy/duet.conf"
check "$examples/systemd/duet.conf"
# what the README of the units installs can be read by who needs it, and the key by nobody else
mkdir etc
(
    cp "$examples"/systemd/* . && cp README.md systemd.md
    sed -n 's#/etc/#etc/#g; s/^install /&/p' systemd.md >install.sh
    umask 077
    sh -e install.sh
) || bad "the README's installation: $(cat install.sh)"
modes=$(stat -c %a:%n etc/duet/* etc/systemd/system/* | tr '\n' ' ')
case $modes in
644:etc/duet/duet.conf\ 600:etc/duet/secret.key\ 644:etc/systemd/system/duet.service\ 644:etc/*duet.socket\ ) ;;
*) bad "modes after the README's installation: $modes" ;;
esac

# what the manifest's block says, without its indentation
awk '/duet.conf: \|/ { block = 1; next } block && !/^    / && NF { exit } block { sub(/^    /, ""); print }' \
    "$examples/kubernetes/deployment.yaml" >kubernetes.conf
grep -q '^\[Tunnel redis\]$' kubernetes.conf || bad "no configuration in the manifest"
check kubernetes.conf

if command -v haproxy >/dev/null; then
    haproxy -c -q -f "$examples/haproxy/haproxy.cfg" >out 2>&1 || bad "haproxy: $(cat out)"
fi
if [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] && command -v nginx >/dev/null; then
    sed "s#modules/#/usr/lib/nginx/modules/#" "$examples/nginx/nginx.conf" >nginx.conf
    nginx -t -q -e stderr -g "pid $work/nginx.pid;" -c "$work/nginx.conf" >out 2>&1 || bad "nginx: $(cat out)"
fi
if command -v systemd-analyze >/dev/null; then
    mkdir units
    cp "$examples/systemd/duet.socket" units
    sed "s#/usr/bin/duet#$DUET#" "$examples/systemd/duet.service" >units/duet.service
    systemd-analyze verify --man=no units/duet.service units/duet.socket >out 2>&1 || bad "systemd: $(cat out)"
    ! grep -E 'duet\.(service|socket)' out || bad "systemd finds something"
fi
done_testing
