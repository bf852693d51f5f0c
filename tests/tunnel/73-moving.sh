#!/bin/sh
# docs/from-stunnel.md and docs/from-rathole.md: the commands make the keys, duet and stunnel take the
# configurations, a service is reached through both, and every setting that the tables name exists.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
root=$(dirname "$peer")/../..
block=$root/tests/support/block.awk

# tunnel FIRST-LINE FILE: that block of the document, with this folder's paths and ports
tunnel() {
    awk -v first="$1" -f "$block" "$document" | sed "$changes" >"$2"
    [ -s "$2" ] || bad "$document has no block '$1'"
}

# commands FIRST-LINE FOLDER OTHER: what the block says about keys, with FOLDER as /etc/duet, and OTHER as
# that of the other end
commands() {
    awk -v first="$1" -f "$block" "$document" | sed -n '/^duet keygen/p; /^scp/p; /^mkdir \//p' |
        sed "s# /etc/duet# $work/$2#g; s#>/etc/duet#>$work/$2#" >keys.sh
    [ -s keys.sh ] || bad "$document has no commands '$1'"
    other=$3
    # shellcheck disable=SC1091
    . ./keys.sh >keys.out 2>&1 || bad "$1: $(cat keys.out)"
}

# scp -p FILE HOST:PATH: to the other end's folder
scp() {
    cp -p "$2" "$work/$other/${3##*:/etc/duet/}"
}

# reaches ADDRESS TEXT: the service behind answers so
reaches() {
    answer=$(timeout 300 "$PYTHON" "$(dirname "$peer")/services.py" meet "$1")
    [ "$answer" = "$2" ] || bad "'$answer', not $2 at $1: $(cat ./*.err)"
}

# service NAME: one that answers with its name; $service is its port
service() {
    next_port
    service=$port
    start "$1" "$PYTHON" "$(dirname "$peer")/services.py" named 127.0.0.1:"$service" "$1"
    listening "$1"
}

# settings: the second column of the tables names settings of duet.conf(5) alone
settings() {
    grep '^| `' "$document" | cut -d'|' -f3 | grep -o '`[a-z][a-z0-9-]* = ' | tr -d '`= ' | sort -u >settings
    [ "$(wc -l <settings)" -gt 10 ] || bad "$document: no tables"
    while read -r setting; do
        grep -q "^\.It Cm $setting No\|, Cm $setting No" "$root/man/duet.conf.5" ||
            bad "$document: no setting $setting"
    done <settings
}

unit() {
    tunnel '# systemd at both ends: /etc/systemd/system/duet.service' duet.service
    if command -v systemd-analyze >/dev/null; then
        sed -i "s#/usr/local/bin/duet#$DUET#" duet.service
        systemd-analyze verify --man=no ./duet.service >out 2>&1 || bad "systemd: $(cat out)"
        ! grep 'duet\.service' out || bad "systemd finds something"
    fi
}

# ---- stunnel ----

document=$root/docs/from-stunnel.md
settings
changes=
unit
mkdir here there
service postgresql
database=$service
service web
web=$service
next_port && wire1=$port
next_port && wire2=$port
next_port && wire3=$port
next_port && wire4=$port
next_port && near1=$port
next_port && near2=$port

# what the document begins with
if ! command -v stunnel >/dev/null || ! command -v openssl >/dev/null; then
    without "stunnel" "it is not installed"
else
    for end in web reports; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$end" -days 30 \
            -keyout $end.key -out $end.crt 2>openssl.err || bad "openssl: $(cat openssl.err)"
        cat $end.key $end.crt >$end.pem
    done
    cp reports.crt clients.pem && cp web.crt server.pem
    printf 'reports:%s\n' "$(openssl rand -hex 32)" >psk
    chmod 600 psk ./*.pem
    changes="s#/etc/stunnel/#$work/#; s/accept = 5433$/accept = 127.0.0.1:$wire3/
        s/accept = 8443$/accept = 127.0.0.1:$wire4/; s/connect = 127.0.0.1:5432$/connect = 127.0.0.1:$database/
        s/connect = 127.0.0.1:8080$/connect = 127.0.0.1:$web/"
    tunnel '; stunnel on db.example.org: /etc/stunnel/tunnels.conf' stunnel-server.conf
    changes="s#/etc/stunnel/#$work/#; s/accept = 127.0.0.1:5432$/accept = 127.0.0.1:$near1/
        s/accept = 127.0.0.1:8080$/accept = 127.0.0.1:$near2/; s/db.example.org:5433$/127.0.0.1:$wire3/
        s/db.example.org:8443$/127.0.0.1:$wire4/"
    tunnel '; stunnel on reports.example.org: /etc/stunnel/tunnels.conf' stunnel-client.conf
    for end in server client; do
        sed -i "1i pid = $work/stunnel-$end.number" stunnel-$end.conf
        start stunnel-$end stunnel stunnel-$end.conf
    done
    accepts "$wire3" && accepts "$wire4" && accepts "$near1" && accepts "$near2"
    reaches "127.0.0.1:$near1" postgresql
    reaches "127.0.0.1:$near2" web
    kill "$(pid stunnel-client)" "$(pid stunnel-server)"
    wait_until test -s stunnel-client.code && wait_until test -s stunnel-server.code
fi

# and what it ends with
commands '# as root, on db.example.org' there here
commands '# as root, on reports.example.org' here there
changes="s/:4000$/127.0.0.1:$wire1/; s/:4001$/127.0.0.1:$wire2/; s/127.0.0.1:5432$/127.0.0.1:$database/
    s/127.0.0.1:8080$/127.0.0.1:$web/; s#/run/duet/#$work/there/#"
tunnel '# duet on db.example.org: /etc/duet/duet.conf' there/duet.conf
changes="s/127.0.0.1:5432$/127.0.0.1:$near1/; s/127.0.0.1:8080$/127.0.0.1:$near2/
    s/db.example.org:4000$/127.0.0.1:$wire1/; s/db.example.org:4001$/127.0.0.1:$wire2/; s#/run/duet/#$work/here/#"
tunnel '# duet on reports.example.org: /etc/duet/duet.conf' here/duet.conf
for end in there here; do
    duet run --check -c $end/duet.conf >out 2>&1 || bad "$end: $(cat out)"
    start $end "$DUET" run -c $end/duet.conf
    listening $end
done
accepts "$wire1" && accepts "$wire2" && accepts "$near1" && accepts "$near2"
(cd here && duet ping -c 1 -k postgresql.key "127.0.0.1:$wire1" &&
    duet ping -c 1 -k web.key -i web.identity --peers web.peers "127.0.0.1:$wire2") >out 2>&1 || bad "ping: $(cat out)"
reaches "127.0.0.1:$near1" postgresql
reaches "127.0.0.1:$near2" web
stop here
stop there

# ---- rathole ----

document=$root/docs/from-rathole.md
settings
changes=
unit
rm -rf here there
mkdir here there
service ssh
ssh=$service
commands '# as root, at home' here there
changes="s/await = :4000$/await = 127.0.0.1:$wire1/
    s/listen = :5202$/listen = 127.0.0.1:$near1/; s/127.0.0.1:8081$/127.0.0.1:$near2/; s#/run/duet/#$work/there/#"
tunnel '# duet on relay.example.org: /etc/duet/duet.conf' there/duet.conf
changes="s/relay.example.org:4000$/127.0.0.1:$wire1/
    s/127.0.0.1:22$/127.0.0.1:$ssh/; s/127.0.0.1:8080$/127.0.0.1:$web/; s#/run/duet/#$work/here/#"
tunnel '# duet at home: /etc/duet/duet.conf' here/duet.conf
for end in there here; do
    duet run --check -c $end/duet.conf >out 2>&1 || bad "$end: $(cat out)"
    start $end "$DUET" run -c $end/duet.conf
done
listening there
accepts "$near1" && accepts "$near2"
reaches "127.0.0.1:$near1" ssh
reaches "127.0.0.1:$near2" web
stop here
stop there
done_testing
