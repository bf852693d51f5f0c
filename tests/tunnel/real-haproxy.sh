#!/bin/sh
# HAProxy as examples/haproxy/ has it, in front of three duet servers that take PROXY v2: one is killed
# and brought back under load, one drained, and no connection is refused.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=balanced.sh
. "$here/balanced.sh"
PATH=$PATH:/usr/sbin
needs haproxy
balancer_ready "$here/../../examples/haproxy/haproxy.cfg"
sed -i 's/maxconn 20000/maxconn 2000/' balancer.conf # twice as many descriptors, which this user may lack
for number in 1 2 3; do
    server_at $number --proxy-protocol in
done
launch as_nobody haproxy -db -f balancer.conf
client_through
broken_and_back --proxy-protocol in

# the servers know where the client is, and a health check is not logged as an unauthenticated peer
client_port=$(sed -n 's/.*tunnel server.* from \(127\.0\.0\.1:[0-9]*\),.*done.*/\1/p' launched.err | tail -1)
[ -n "$client_port" ] || bad "no source in the log"
sleep 3
! grep 'outcome stranger' launched.err || bad "a health check is logged"
done_testing
