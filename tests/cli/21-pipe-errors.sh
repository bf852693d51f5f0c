#!/bin/sh
# pipe where something is wrong on this side: one line with cause and cure, and its exit code.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null

expect 2 "no subcommand" duet
expect 2 "frobnicate: no such subcommand; see" duet frobnicate
expect 2 "sned: no such subcommand (did you mean send?); see" duet sned
expect 2 "unknown option; see" duet pipe --frobnicate
expect 2 "unknown option (did you mean --timeout?); see" duet pipe --tiemout=3 -k k a:1
expect 2 "unknown option (did you mean --max-from-source?)" duet server --max-form-source 3
expect 2 "unknown option (did you mean --identity?)" duet keygen -identity
expect 2 "unknown option" duet -v pipe
expect 2 "missing argument" duet pipe -k
expect 2 "pipe: b:2: unexpected argument; usage: duet pipe -k FILE" duet pipe -k k a:1 b:2
expect 2 "key: missing argument; usage: duet key show FILE" duet key show
expect 2 "no peer" duet pipe -k k
expect 2 "exclude" duet pipe -k k --stdio --in k --out o 127.0.0.1:1
expect 2 "standard input carries no channel" sh -c '"$DUET" ping -k k --stdio <k'
expect 2 "standard output carries no channel" sh -c 'sleep 0 | "$DUET" ping -k k --stdio >file'
expect 2 "exclude" duet pipe -k k --top --bottom 127.0.0.1:1
expect 2 "needs an address" duet pipe -k k -l --exec true
while read -r address text; do
    expect 2 "^duet: $address: $text" duet pipe -k k "$address"
done <<END
nonsense no port after a colon; write host:port
127.0.0.1 no port after a colon
127.0.0.1: no port after a colon
http://127.0.0.1:80/ no address; it is host:port without scheme or path
/run/socket no address; .* or unix:/path
127.0.0.1:65536 no such port; it is a number up to 65535
127.0.0.1:1x no such port
::1:80 an IPv6 address is written in brackets
:80 no host; write host:port
fd:x no descriptor
systemd:web can only be listened on
END
expect 2 "the host's name is too long" duet pipe -k k "$(printf %0256d 0):80"
expect 2 "no name; it is systemd:NAME" duet pipe -k k -l systemd:
expect 8 "missing.key: No such file" sh -c 'timeout 300 "$DUET" pipe -k missing.key -i missing.id a:1 2>all
    code=$?; grep -v missing.id all >&2; grep -q "missing.id: No such file" all && exit $code'
expect 2 "empty or too long" duet pipe -k k unix:
expect 3 "not open" duet pipe -k k fd:77
expect 3 "systemd socket" duet pipe -k k -l systemd:web
expect 3 "no service of this name here" duet pipe -k k 127.0.0.1:no-such-service
expect 3 "refused; check that the peer is listening there" duet pipe -k k 127.0.0.1:1
if unshare -n true 2>/dev/null; then # where there is no network at all
    expect 3 "Network is unreachable; check this machine's network" unshare -n "$DUET" pipe -k k 192.0.2.1:1
fi
expect 3 "No such file" duet pipe -k k unix:nobody
expect 3 "" duet pipe -k k no-such-host.invalid:80
for option in --timeout --handshake-timeout --idle-timeout; do
    expect 2 "must be a time such as 10" duet pipe -k k $option soon 127.0.0.1:1
    expect 2 "must be a time such as 10" duet pipe -k k $option -1 127.0.0.1:1
done
expect 2 "from 0.001 to 29.999 seconds" duet pipe -k k --handshake-timeout 30 127.0.0.1:1
expect 2 "DUET_KERNEL=fast: there is no such kernel" env DUET_KERNEL=fast "$DUET" version
expect 2 "two numbers" duet pipe -k k --linger 5 127.0.0.1:1
expect 2 "30-90" duet pipe -k k --drain-timeout 90-30 127.0.0.1:1
expect 2 "1 to 100000" duet pipe -k k --max-connections 0 127.0.0.1:1
for command in pipe send recv ping keygen key explain version; do
    expect 0 "" duet $command --help
    [ -s out ] || bad "$command --help says nothing"
done
for help in --help -h help; do
    expect 0 "" duet $help
    says "^  duet pipe " out
done
duet pipe --help >help
for help in "pipe -h" "help pipe" "-h pipe"; do
    # shellcheck disable=SC2086
    expect 0 "" duet $help
    same help out
done
expect 2 "no such subcommand" duet help nothing

# what a terminal that does not know UTF-8 would take for control characters
name=$(printf 'a\304\233b')
expect 8 'a\\xc4\\x9bb: No such file' env LC_ALL=C "$DUET" key show "$name"
# Characters that turn the direction of writing, or that nobody sees, are shown by number.
for hidden in '\342\200\256' '\342\201\246' '\342\200\213' '\357\273\277' '\302\255' '\363\240\201\201'; do
    # shellcheck disable=SC2059
    expect 8 'a\\x[cef][0-9a-f]\\x.*b: No such file' env LC_ALL=C.UTF-8 "$DUET" key show "$(printf "a${hidden}b")"
done
# An editor's copy in a ring is no key.
mkdir copies
cp k copies/k~
expect 8 'copies: holds no key file' duet pipe -k copies --timeout 1 -l 127.0.0.1:0
if locale -a 2>/dev/null | grep -qix 'c\.utf-\{0,1\}8'; then
    expect 8 "$name: No such file" env LC_ALL=C.UTF-8 "$DUET" key show "$name"
fi

# a port in use
next_port
start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
expect 3 "another program has the port" duet pipe -k k -l 127.0.0.1:$port
echo x | duet pipe -k k 127.0.0.1:$port || bad "the first listener"
ended listener 0
expect 7 "no peer connected" duet pipe -k k -l 127.0.0.1:$port --timeout 0.3

head -c 30000000 /dev/zero >zeros

# standard output full, broken; a folder; a standard stream that is closed, before any connection
for case in full broken; do
    next_port
    stdin=zeros start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
    listening listener
    case $case in
    full) timeout 300 "$DUET" pipe -k k 127.0.0.1:$port >/dev/full 2>err </dev/null ;;
    broken) { timeout 300 "$DUET" pipe -k k 127.0.0.1:$port 2>err </dev/null; echo $? >broken.code; } | : ;;
    esac
    got=$?
    [ $case != broken ] || got=$(cat broken.code)
    [ $got -eq 9 ] || bad "output $case: exit $got"
    says "standard output" err
    ended listener 6
done
timeout 300 "$DUET" pipe -k k 127.0.0.1:1 >&- 2>err </dev/null
got=$?
[ $got -eq 9 ] || bad "closed output: exit $got"
says "standard output: is closed" err
timeout 300 "$DUET" pipe -k k 127.0.0.1:1 <&- >out 2>err
got=$?
[ $got -eq 9 ] || bad "closed input: exit $got"
says "standard input: is closed" err
expect 9 "not open for writing" duet pipe -k k --out fd:3 127.0.0.1:1 3<zeros
expect 3 "not a listening socket" duet pipe -k k -l fd:0 </dev/null
expect 9 "is a folder" duet pipe -k k --in . 127.0.0.1:1
expect 9 "No such file" duet pipe -k k --in nothing 127.0.0.1:1
expect 9 "Is a directory" duet pipe -k k --out . 127.0.0.1:1

# the peer is killed: what came is written, and the cut is reported
next_port
mkfifo fifo
(cat zeros; hold_open) >fifo &
children="$children $!"
stdin=fifo start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
start client "$DUET" pipe -k k 127.0.0.1:$port
wait_until cmp -s client.out zeros
kill -9 "$(cat listener.pid)" "$(pgrep -P "$(cat listener.pid)")" 2>/dev/null
ended client 6
says "without CLOSE" client.err
same zeros client.out

# nothing moves
next_port
stdin=fifo start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
hold_open >fifo &
children="$children $!"
listening listener
mkfifo quiet
hold_open >quiet &
children="$children $!"
expect 7 "peer is slow" timeout 300 "$DUET" pipe -k k --idle-timeout 0.5 127.0.0.1:$port <quiet
ended listener 6

# died of a signal
next_port
start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
kill -TERM "$(pgrep -P "$(cat listener.pid)")" 2>/dev/null
ended listener 143

# in the middle of things too, and a socket's file does not stay behind
start listener "$DUET" pipe -v -k k -l unix:sock
listening listener
mkfifo mute
hold_open >mute &
children="$children $!"
stdin=mute start client "$DUET" pipe -v -k k unix:sock
wait_until test ! -e sock || bad "the client is not let in"
kill -INT "$(pgrep -P "$(cat client.pid)")" 2>/dev/null
ended client 130
ended listener 6
start listener "$DUET" pipe -v -k k -l unix:sock
listening listener
kill -TERM "$(pgrep -P "$(cat listener.pid)")" 2>/dev/null
ended listener 143
[ ! -e sock ] || bad "the socket's file is left"
done_testing
