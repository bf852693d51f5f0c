#!/bin/sh
# The README's program is the example, it compiles, it is as short as promised, and it greets.
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

sed -n '/^```c$/,/^```$/p' "$here/README.md" | sed '1d;$d' >readme.c
sed '/^\/\*/,/^ \*\//d' "$here/examples/hello.c" >example.c
cmp readme.c example.c || bad "README.md and examples/hello.c differ"
[ "$(sed -n '/^{/,/^}/p' readme.c | sed '1d;$d' | wc -l)" -le 18 ] || bad "it has grown"
duet keygen -o secret.key >/dev/null
hello=$(dirname "$DUET")/examples/example_hello
[ -x "$hello" ] || bad "example_hello is not built"
ASAN_OPTIONS=detect_leaks=0 # a failed start releases nothing
export ASAN_OPTIONS
expect 1 "^missing.key: No such file or directory; is the path right" "$hello" missing.key
expect 1 "^/etc/passwd: is not a file that duet knows" "$hello" /etc/passwd
expect 1 "^hello: ..*" "$hello" secret.key </dev/null
[ "$(duet pipe -k secret.key --exec "exec '$hello' secret.key" </dev/null)" = hello ] || bad "no hello"
duet keygen --size 65536 -o largest.key >keygen.out 2>&1 || bad "no largest secret"
[ "$(duet pipe -k largest.key --exec "exec '$hello' largest.key" </dev/null)" = hello ] || bad "no hello under the largest secret"
done_testing
