#!/bin/sh
# A key's NotAfter is judged at each handshake: the day passes while a server, a client and a listener
# run. Their clock is faketime's, which a file moves; the monotonic clock stays the machine's.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
fake=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)
[ -n "$fake" ] || {
    echo "skipped: faketime is not installed"
    exit 77
}
if nm -D "$DUET" 2>/dev/null | grep -q __asan; then
    echo "skipped: a sanitizer and faketime do not go together"
    exit 77
fi
target echo echo
cp -p k old
sed -i 's/^Secret/NotAfter = 2030-03-01\nSecret/' old

# at TIME: what the programs that clocked() runs take it for, from now on
at() {
    echo "@$1" >clock.new
    mv clock.new clock
}

clocked() {
    name=$1
    shift
    start "$name" env LD_PRELOAD="$fake" FAKETIME_TIMESTAMP_FILE="$work/clock" FAKETIME_NO_CACHE=1 \
        FAKETIME_DONT_FAKE_MONOTONIC=1 "$DUET" "$@"
}

served() {
    duet ping -c 1 -k k "$1" >out 2>err || bad "$2: $(cat err)"
}

at '2030-03-01 23:00:00'
next_port
wire=127.0.0.1:$port
next_port
plain=127.0.0.1:$port
clocked server server -v -k old --listen "$wire" --target "$target"
clocked client client -v -k old --listen "$plain" --target "$wire"
listening server
listening client
served "$wire" "a server on the last day"
peer both "$plain" 1 || bad "a client on the last day: $(cat client.err)"

at '2030-03-02 01:00:00'
expect 4 "" duet ping -c 1 --handshake-timeout 1 --linger 0-0 -k k "$wire"
says 'past its NotAfter' server.err
peer both "$plain" 1 2>/dev/null && bad "a client after the last day"
says 'outcome refused: no secret may be used any more: past NotAfter' client.err
stop client
stop server
done_testing
