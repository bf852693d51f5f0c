#!/bin/sh
# Peers that are refused: an unauthenticated one gets nothing, the log gets the cause.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o other >/dev/null

# nobody is at the target
up 127.0.0.1:1
peer be_cut "$plain" >out || bad "no cut where the target refuses"
soon 'outcome unreached: .*Connection refused' server.err
soon "outcome cut: .*the server's log says why" client.err
down

# another secret: the client gives up, the server keeps silent and tells why
server_options='--drain-timeout 5-5'
target echo echo
up "$target"
next_port
start wrong "$DUET" client -v -k other --listen 127.0.0.1:$port --target "$wire" \
    --handshake-timeout 1 --timeout 1
listening wrong
peer be_cut "127.0.0.1:$port" >out || bad "no cut where the secret is another"
soon 'stayed silent' wrong.err
soon 'outcome stranger' server.err
stop wrong

# silence, then an end, not before the time that was drawn
probing=
for bytes in 0 10 300 100000; do
    peer probe "$wire" $bytes 100 >probed.$bytes &
    probing="$probing $!"
done
# shellcheck disable=SC2086
wait $probing
for bytes in 0 10 300 100000; do
    awk '$1 == "end" && $2 >= 4.9 { good = 1 } END { exit !good }' probed.$bytes ||
        bad "a peer that sent $bytes bytes of noise saw: $(cat probed.$bytes)"
done
peer both "$plain" 1 || bad "after unauthenticated peers"
down
[ "$(grep -c 'outcome stranger' server.err)" -ge 5 ] || bad "unauthenticated peers are not logged: $(cat server.err)"
server_options=

# the plain side stays on this machine unless that is meant
next_port
expect 2 "unsafe-listen" duet client -k k --listen ":$port" --target "$wire"
start open "$DUET" client -v -k k --listen ":$port" --target "$wire" --unsafe-listen
listening open
stop open
next_port
expect 2 "unsafe-target" duet server -k k --listen "127.0.0.1:$port" --target 192.0.2.1:9
if [ -n "${NAMES:-}" ]; then # a name is judged when it is resolved; fake_names.c knows this one
    while read -r address text; do
        next_port
        wire=127.0.0.1:$port
        # Under the address sanitizer another library comes first, which is meant.
        start server env LD_PRELOAD="$NAMES" NAMES_NAME=elsewhere.invalid NAMES_ADDRESS="$address" \
            ASAN_OPTIONS=verify_asan_link_order=0 \
            "$DUET" server -v -k k --listen "$wire" --target elsewhere.invalid:1
        next_port
        plain=127.0.0.1:$port
        start client "$DUET" client -v -k k --listen "$plain" --target "$wire"
        listening server
        listening client
        peer be_cut "$plain" >out || bad "no cut where the target is $address"
        soon "outcome unreached: .*$text" server.err
        down
    done <<END
192.0.2.1 beyond this machine, and unsafe-target is not given
127.0.0.1 Connection refused
END
else
    echo "no fake_names.c here: a target's name is not judged" >&2
fi

# identities: one that is trusted, one that is not
for who in alice bob; do
    duet keygen --identity -o $who >$who.pub 2>&1
done
duet keygen --identity -o home >home.pub 2>&1
printf '[Peer alice]\nPublicKey = %s\n' "$(grep -o '[A-Za-z0-9+/]*=' alice.pub | tail -1)" >peers
next_port
wire=127.0.0.1:$port
start server "$DUET" server -v -k k -i home --peers peers --listen "$wire" --target "$target" \
    --drain-timeout 3-3
listening server
for who in alice bob; do
    next_port
    patience=25
    [ $who = alice ] || patience=2
    start $who "$DUET" client -v -k k -i $who --listen 127.0.0.1:$port --target "$wire" \
        --handshake-timeout $patience
    listening $who
    if [ $who = alice ]; then
        peer both 127.0.0.1:$port 1 || bad "the trusted identity"
    else
        peer be_cut 127.0.0.1:$port >out || bad "no cut for an identity that is not trusted"
        soon 'does not trust' bob.err
    fi
    stop $who
done
soon 'identity is not trusted' server.err
stop server
done_testing
