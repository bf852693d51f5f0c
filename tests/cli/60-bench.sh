#!/bin/sh
# duet bench says something for each benchmark; how fast it is, no test asserts.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

expect 0 "" duet bench --quick
says "^duet .*, kernel [a-z]" out
says "^kernel, portable: time" out
says "^frame, seal+open: time" out
says "^handshake, both ends: time" out
says "^ *1048576 .* ms" out

expect 0 "" duet bench --quick --json
says '"bench": "handshake", "case": "wire", .*"contender": "duet-identity", "unit": "flights", "median": 4,' out
"${PYTHON:-python3}" - out <<'END' || bad "the figures are not what they should be"
import json, sys

figures = json.load(open(sys.argv[1]))["figures"]
assert {f["bench"] for f in figures} == {"kernel", "frame", "handshake"}
for f in figures:
    assert 0 < f["low"] <= f["median"] <= f["high"], f
    if f["unit"] == "ratio":
        assert f["contender"].count("/") == 1, f
END

expect 2 "kernel: one operand too many" duet bench kernel
expect 2 "unknown option" duet bench --fast
done_testing
