#!/bin/sh
# Builds the wheel of bindings/python with pip, installs it into a folder of its own, and runs the
# tests on it.
#
# PYTHON, DUET (the command), DUET_LIB (the folder of libduet.so). Arguments go to unittest.
: "${PYTHON:=/usr/bin/python3}"
top=$(cd "$(dirname "$0")/../../.." && pwd)
for module in cffi setuptools wheel pip; do
    "$PYTHON" -c "import $module" 2>/dev/null || {
        echo "SKIPPED: $PYTHON has no package $module (Debian: python3-$module)"
        exit 77
    }
done
command -v "${CC:-cc}" >/dev/null || {
    echo "SKIPPED: there is no C compiler"
    exit 77
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cp -r "$top/bindings/python" "$work/source" || exit 1
rm -rf "$work/source/build" "$work/source/"*.egg-info
export DUET_INCLUDE="$top/include" DUET_LIB PIP_DISABLE_PIP_VERSION_CHECK=1
export LD_LIBRARY_PATH="$DUET_LIB${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
{
    "$PYTHON" -m pip -q wheel --no-index --no-build-isolation --no-deps -w "$work" "$work/source" &&
        "$PYTHON" -m pip -q install --no-index --no-deps --target "$work/site" "$work"/duet-*.whl
} >"$work/log" 2>&1 || {
    cat "$work/log"
    echo "the wheel is not built"
    exit 1
}
export PYTHONPATH="$work/site" PYTHONDONTWRITEBYTECODE=1 DUET_TREE="$top"
cd "$top/bindings/python/tests" || exit 1
[ $# -gt 0 ] || set -- discover -v
"$PYTHON" -X dev -W error::ResourceWarning -m unittest "$@"
