#!/bin/sh
# --hybrid: what ping says, what require refuses, at the command line and in a file.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >id
id=$(cat id)

# met OPTIONS-OF-LISTENER OPTIONS-OF-PING EXIT: a ping between ends with these options.
met() {
    next_port
    # shellcheck disable=SC2086 # lists of words
    start listener "$DUET" pipe -v -k k $1 -l 127.0.0.1:$port
    listening listener
    # shellcheck disable=SC2086
    expect "$3" "" duet ping -k k -c 1 --handshake-timeout 3 $2 127.0.0.1:$port
}

expect 2 "off, offer or require" duet ping -k k --hybrid maybe 127.0.0.1:1
if ! duet ping -k k --hybrid require 127.0.0.1:1 2>&1 | grep -q "no ML-KEM-768"; then
    expect 2 "does not go with --pattern secret" duet ping -k k --hybrid require --pattern secret 127.0.0.1:1
    met "" "" 0
    says "authenticated: pattern ephemeral with ML-KEM-768, secret $id$" out
    met "--hybrid require" "--hybrid require" 0
    says "with ML-KEM-768" out
    met "--hybrid off" "" 0
    says "authenticated: pattern ephemeral, secret $id$" out
    met "" "--hybrid off" 0
    says "authenticated: pattern ephemeral, secret $id$" out
    met "--hybrid off" "--hybrid require" 4
    says "hybrid is required here" err
    met "--hybrid require" "--hybrid off" 4
    says "hybrid is required here" listener.err
else
    echo "41-hybrid: this libcrypto has no ML-KEM-768: only what is refused is tried"
    met "--hybrid offer" "" 0
    says "authenticated: pattern ephemeral, secret $id$" out
    expect 2 "OpenSSL 3.5" duet ping -k k --hybrid require 127.0.0.1:1
    printf '[Tunnel a]\nside = server\nlisten = 127.0.0.1:1\ntarget = 127.0.0.1:2\nkey = k\nhybrid = require\n' >c.conf
    expect 2 "no ML-KEM-768" duet run --check -c c.conf
fi
done_testing
