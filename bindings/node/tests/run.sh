#!/bin/sh
# Assembles the package from this folder and the addon that was built (DUET_NODE), and runs the tests
# of its tests/ there by Node's own runner. Skips where there is no Node.js, or no addon.
set -eu
cd "$(dirname "$0")/.."

skip() {
    echo "[  SKIPPED ] bindings/node: $*"
    exit 77
}

command -v node >/dev/null || skip "there is no node (Debian: nodejs)"
[ -f "${DUET_NODE:-}" ] || skip "the addon is not built: there is no node_api.h (Debian: libnode-dev)"
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20')" = true ] ||
    skip "node $(node --version) is too old for the tests: they need 18"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
../../scripts/node --into "$work" "$DUET_NODE"
cp -R tests "$work/tests"
cd "$work"
node --test --test-concurrency=1 tests/*.test.js
