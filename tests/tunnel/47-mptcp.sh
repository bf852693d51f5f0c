#!/bin/sh
# mptcp = yes: what is between the ends is Multipath TCP where the kernel has it, else TCP with one warning
# at each end. Two links of which one goes down are real-mptcp.sh's.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# capable: how many connections were dialled by Multipath TCP in this network, as the kernel counts them
capable() {
    awk '/^MPTcpExt:/ { for (i = 2; i <= NF; i++) if (names[i] == "MPCapableSYNTX") print $i
                        else names[i] = $i }' /proc/net/netstat
}

target echo echo
server_options=--mptcp client_options=--mptcp
before=$(capable)
up "$target"
peer both "$plain" 4 4 || bad "what came back is something else"
if "$PYTHON" -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()' 2>/dev/null; then
    # the wire's four (one more if a packet was lost), and not the four to the target
    dialled=$(($(capable) - before))
    [ $dialled -ge 4 ] && [ $dialled -lt 8 ] || bad "$dialled of four were dialled so: $(cat client.err)"
    grep -h 'mptcp:' server.err client.err && bad "a warning with a kernel that has it"
else
    without tunnel/47-mptcp "this kernel has no Multipath TCP, or net.mptcp.enabled is 0"
    for end in server client; do
        [ "$(grep -c 'mptcp: this kernel makes no such sockets' $end.err)" -eq 1 ] ||
            bad "not one warning: $(cat $end.err)"
    done
fi
down

# one end without it
server_options='' client_options=--mptcp
up "$target"
peer both "$plain" 1 || bad "a server without it"
down
server_options=--mptcp client_options=''
up "$target"
peer both "$plain" 1 || bad "a client without it"
down

# each worker has a socket of its own
server_options='--mptcp --workers 2' client_options=--mptcp
up "$target"
peer both "$plain" 1 8 || bad "with workers"
down
done_testing
