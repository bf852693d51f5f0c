#!/bin/sh
# duet-bench prints figures for each benchmark, as tables, JSON and TSV. No speed is asserted.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
needs_python

expect 2 "bench is now the program duet-bench" duet bench --quick
[ -n "${BENCH:-}" ] || {
    echo "duet-bench is not built, and not tested" >&2
    done_testing
}

expect 0 "" "$BENCH" --quick
says "^duet .*, kernel [a-z]" out
says "^kernel, portable: time" out
says "^frame, seal+open: time" out
says "^handshake, both ends: time" out
says "^ *1048576 .* ms" out

expect 0 "" "$BENCH" --quick --json
says '"bench": "handshake", "case": "wire", .*"contender": "duet-identity", "unit": "flights", "median": 4,' out
"$PYTHON" - out <<'END' || bad "the figures are not what they should be"
import json, sys

figures = json.load(open(sys.argv[1]))["figures"]
assert {f["bench"] for f in figures} == {"kernel", "frame", "handshake"}
for f in figures:
    assert 0 < f["low"] <= f["median"] <= f["high"], f
    if f["unit"] == "ratio":
        assert f["contender"].count("/") == 1, f
END

expect 0 "" "$BENCH" --quick --tsv handshake
says "^handshake	wire	0	duet-identity	flights	4	4	4	3$" out
"$BENCH" --list >names || bad "--list"
says "^channel$" names

expect 2 "" "$BENCH" nothing
says "nothing: no such benchmark or option" err
expect 2 "" "$BENCH" --fast
done_testing
