#!/bin/sh
# The second implementation, in Python, against the vectors, the document's example and `duet pipe`.
: "${PYTHON:=python3}"
"$PYTHON" -c 'import cryptography' 2>/dev/null || {
    echo "$PYTHON has no package cryptography: skipped"
    exit 77
}
cd "$(dirname "$0")" || exit 1
export PYTHONDONTWRITEBYTECODE=1
"$PYTHON" test_transfer.py && exec "$PYTHON" test_interop.py
