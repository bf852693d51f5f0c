#!/bin/sh
# A reload revokes: a peer that connected before it and authenticates after it is judged by the new
# secrets, peers and rules. Two gates hold a peer's bytes meanwhile: `first` all
# of them, `last` those that follow the server's answer.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
for key in old new; do
    duet keygen -o $key >/dev/null
done
for name in here here2 peer; do
    duet keygen --identity -o $name.id >$name.public
done
printf '[Peer ann]\nPublicKey = %s\n' "$(cat peer.public)" >ann
printf '[Peer bob]\nPublicKey = %s\n' "$(cat here2.public)" >bob
for label in one two; do
    printf '[Profile]\nLabel = %s\n' $label >$label
done
target target reached
next_port
wire=127.0.0.1:$port
gates='first last'

# tunnel NAME SETTING...: the server's file: one tunnel of this name with these settings
tunnel() {
    printf '[Tunnel %s]\nside = server\nlisten = %s\ntarget = %s\n' "$1" "$wire" "$target" >conf
    shift
    for setting; do
        echo "$setting"
    done >>conf
}

# count TEXT FILE
count() {
    grep -c -- "$1" "$2" || :
}

at_least() {
    [ "$(count "$1" "$2")" -ge "$3" ]
}

# more TEXT FILE NUMBER: wait until so many lines of the file say it
more() {
    wait_until at_least "$@" || bad "$case: $2 does not say '$1' $3 times: $(cat "$2")"
}

# reload NAME: by its file of now
reload() {
    reloads=$(count 'reloaded: new' "$1.err")
    kill -HUP "$(pid "$1")"
    more 'reloaded: new' "$1.err" $((reloads + 1))
}

# knock CASE OPTIONS...: a peer at each gate, held
knock() {
    case=$1
    shift
    rm -f go
    knocking=
    for gate in $gates; do
        holds=$(count held "$gate.out")
        echo "$case" | timeout 300 "$DUET" pipe --handshake-timeout 29 "$@" "$(cat "$gate.address")" >"$gate.said" 2>"$gate.err" &
        knocking="$knocking $!"
        more held "$gate.out" $((holds + 1))
    done
    judged=$(count 'outcome stranger' server.err)
    came=$(count reached target.out)
    spoken=$(cat first.out last.out | grep -c back)
}

# gone: the peers are ended
gone() {
    # shellcheck disable=SC2086
    kill $knocking 2>/dev/null
    # shellcheck disable=SC2086
    wait $knocking 2>/dev/null
}

# shut_out: after a reload none of them is let in, and the server sends nothing
shut_out() {
    reload server
    : >go
    more 'outcome stranger' server.err $((judged + $(echo "$gates" | wc -w)))
    [ "$(count reached target.out)" -eq "$came" ] || bad "$case: the target was reached"
    [ "$(cat first.out last.out | grep -c back)" -eq "$spoken" ] || bad "$case: the server spoke"
    gone
}

# let_in: after a reload they are let in
let_in() {
    reload server
    : >go
    for gate in $gates; do
        more "$case" "$gate.said" 1
    done
    gone
}

tunnel a 'key = old'
start server "$DUET" run -v -c conf
listening server
for gate in first last; do
    next_port
    echo "127.0.0.1:$port" >$gate.address
    start $gate "$PYTHON" "$peer" gate "127.0.0.1:$port" "$wire" go $gate
    listening $gate
done

knock kept -k old
tunnel a 'key = new' 'key = old'
let_in

knock replaced -k old
tunnel a 'key = new'
shut_out

# the file's name stays, and what is in it does not
cp old k
tunnel a 'key = k'
reload server
knock overwritten -k old
cp new k
shut_out

# a peer that sends only after the reload is judged by the new keys alone
gates=first
knock brought -k old
tunnel a 'key = new' 'key = old'
let_in
gates='first last'

# peers: one is taken off the list, a list comes, this end gets another identity
tunnel a 'key = old' 'identity = here.id' 'peers = ann'
reload server
knock listed -k old -i peer.id
cat bob >>ann
let_in
knock unlisted -k old -i peer.id
cp bob ann
reload server
: >go
more 'outcome stranger' server.err $((judged + 2))
[ "$(count reached target.out)" -eq "$came" ] || bad "$case: the target was reached"
gone
tunnel a 'key = old' 'identity = here.id'
reload server
knock nameless -k old
tunnel a 'key = old' 'identity = here.id' 'peers = bob'
shut_out
tunnel a 'key = old' 'identity = here.id'
reload server
gates=last
knock renamed -k old -i peer.id
tunnel a 'key = old' 'identity = here2.id'
shut_out
gates='first last'

# what both ends must agree on
tunnel a 'key = old' 'profile = one'
reload server
knock label -k old --profile one
tunnel a 'key = old' 'profile = two'
shut_out
tunnel a 'key = old' 'pattern = secret'
reload server
knock pattern -k old --pattern secret
tunnel a 'key = old' 'pattern = ephemeral'
shut_out

# the tunnel is another, though all else stays
knock tunnel -k old
tunnel b 'key = old'
shut_out

# a client that waits for its peer begins again, with the new key and target, or ends
next_port
plain=127.0.0.1:$port
client() {
    printf '[Tunnel %s]\nside = client\nlisten = %s\ntarget = %s\nkey = %s\n' \
        "$1" "$plain" "$2" "$3" >client.conf
}
case=client
rm -f go
tunnel a 'key = new'
reload server
client a "$(cat first.address)" old
start client "$DUET" run -v -c client.conf
listening client
holds=$(count held first.out)
peer hold "$plain" 0 2 >hold.out 2>hold.err &
holding=$!
more held first.out $((holds + 1))
client a "$wire" new
reload client
wait $holding || bad "a client whose key and target are others: $(cat hold.err client.err)"
client a "$(cat first.address)" new
reload client
holds=$(count held first.out)
peer be_cut "$plain" >out 2>cut.err &
cut=$!
more held first.out $((holds + 1))
client b "$wire" new
reload client
wait $cut || bad "a client whose tunnel is another: $(cat cut.err client.err)"
says 'a reload withdrew the tunnel' client.err
stop client
stop server
done_testing
