#!/bin/sh
# Nothing is reported stored that is not the sender's content, whole, under its name.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null

# receive OPTIONS...
receive() {
    next_port
    start recv "$DUET" recv -k k "$@" -l 127.0.0.1:$port
    listening recv
}

# ---- A second name of a file whose first name stands for another file at the receiver ----
mkdir -p src got/src
echo mine >src/a
ln src/a src/b
echo another one >got/src/a
receive -o got
duet send -k k src 127.0.0.1:$port 2>send.err && bad "the file that differs was stored"
ended recv 1
same src/b got/src/b
rm got/src/b
receive --keep-both -o got
duet send -k k src 127.0.0.1:$port 2>send.err || bad "send: $(cat send.err)"
ended recv 0
same src/a "got/src/a (2)"
same src/b got/src/b
done_testing
