# Ports for scripts that run beside each other.
# shellcheck shell=sh

# A port that nobody uses now, not even a connection that is still dying; another one at each call. Scripts that run beside each other have
# process numbers that are close: each gets ports of its own, below those that the system hands out.
port=$((10000 + $$ % 550 * 40))
next_port() {
    port=$((port + 1))
    while grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' $port) " /proc/net/tcp /proc/net/tcp6 2>/dev/null; do
        port=$((port + 1))
    done
}
