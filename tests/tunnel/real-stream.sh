#!/bin/sh
# nginx's stream module as examples/nginx/ has it, in front of three duet servers: one is killed and
# brought back under load, one drained, and no connection is refused.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=balanced.sh
. "$here/balanced.sh"
PATH=$PATH:/usr/sbin
needs nginx
module=$(ls /usr/lib*/nginx/modules/ngx_stream_module.so 2>/dev/null | head -1)
[ -n "$module" ] || {
    echo "skipped: nginx has no stream module here; scripts/setup tunnel installs it"
    exit 77
}
balancer_ready "$here/../../examples/nginx/nginx.conf"
sed -i "s#modules/ngx_stream_module.so#$module#" balancer.conf
own nginx
for number in 1 2 3; do
    server_at $number
done
launch as_nobody nginx -p "$work/nginx" -e stderr -g "daemon off; pid $work/nginx/pid;" -c "$work/balancer.conf"
client_through
broken_and_back
done_testing
