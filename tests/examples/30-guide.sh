#!/bin/sh
# Every piece of C in docs/api.md compiles as it stands there, without a warning: within a function that
# has what the text speaks of. So does every program of README.md.
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../cli/common.sh
. "$(dirname "$0")/../cli/common.sh"
: "${HEADERS:?names the folder of the headers}"
compiler=${CC:-cc}
command -v "$compiler" >/dev/null || {
    echo "skipped: there is no compiler $compiler"
    exit 77
}

# pieces DOCUMENT: each block of C becomes piece.N.
pieces() {
    rm -f piece.*
    awk '/^```c$/ { n++; inside = 1; next }
         /^```$/ { inside = 0 }
         inside { print >("piece." n) }' "$1"
}

# wrapped PIECE: a whole program as it is, anything else within a function.
wrapped() {
    if grep -q '^#include' "$1"; then
        cat "$1"
        return
    fi
    cat <<'END'
#include <duet/duet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int piece(duet_config *config, duet_channel *channel, duet_session *session, duet_replay *replay, int fd,
          int stopped);
int
piece(duet_config *config, duet_channel *channel, duet_session *session, duet_replay *replay, int fd,
      int stopped)
{
    static char buffer[65536];
    duet_where where = {.reason = ""};
    size_t sent = 0, got = 0;
    int result = DUET_OK;
    {
END
    cat "$1"
    cat <<'END'
    }
    (void)config, (void)channel, (void)session, (void)replay, (void)fd, (void)stopped;
    (void)buffer, (void)where, (void)sent, (void)got;
    return result;
}
END
}

for document in docs/api.md README.md; do
    pieces "$here/$document"
    [ -e piece.1 ] || bad "$document has no code"
    for one in piece.*; do
        wrapped "$one" >program.c
        $compiler -std=c11 -D_GNU_SOURCE -I"$HEADERS" -Wall -Wextra -Wpedantic -Werror -fsyntax-only program.c ||
            bad "$document, block ${one#piece.}: does not compile"
    done
done
echo "$(find . -name 'piece.*' | wc -l) pieces in the last document"

# What the guide names is there.
grep -oE '`(examples|docs)/[a-z_/]+\.(c|h|md)`' "$here/docs/api.md" | tr -d '`' | sort -u | while read -r path; do
    [ -f "$here/$path" ] || echo "$path"
done >missing
[ ! -s missing ] || bad "docs/api.md names what is not there: $(cat missing)"
done_testing
