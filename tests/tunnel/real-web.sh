#!/bin/sh
# nginx behind a tunnel: curl's downloads and uploads come to the same bytes as without, and wrk's
# load to no error.
# shellcheck source=real.sh
. "$(dirname "$0")/real.sh"
PATH=$PATH:/usr/sbin
needs nginx curl
own web web/files web/temporary
mebibytes=${MEBIBYTES:-64}
head -c $((mebibytes * 1048576)) /dev/urandom >web/files/large
head -c 4096 /dev/urandom >web/files/small
chmod 644 web/files/large web/files/small
fresh_port service
cat >nginx.conf <<END
worker_processes 1;
error_log $work/web/error.log;
pid $work/web/pid;
daemon off;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $work/web/temporary;
    proxy_temp_path $work/web/temporary;
    fastcgi_temp_path $work/web/temporary;
    uwsgi_temp_path $work/web/temporary;
    scgi_temp_path $work/web/temporary;
    client_max_body_size 0;
    server {
        listen $service;
        root $work/web/files;
        location / { dav_methods PUT; }
    }
}
END
launch as_nobody nginx -p "$work/web" -e "$work/web/error.log" -c "$work/nginx.conf"
await "$service" || bad "nginx does not start: $(cat launched.err)"
tunnel "$service"

fetch() {
    curl -sSf --max-time 100 "$@" || bad "curl $*"
}

# a large download and upload, ranges, many at a time
fetch -o got "http://$near/large"
same web/files/large got
fetch -T got "http://$near/uploaded"
same got web/files/uploaded
fetch -r 1000000-3000000 -o part "http://$near/large"
fetch -r 1000000-3000000 -o straight "http://$service/large"
same straight part
fetch --limit-rate 2M -r 0-4000000 -o slow "http://$near/large"
head -c 4000001 web/files/large | cmp - slow || bad "a slow reader gets other bytes"
pulls=
for i in 1 2 3 4 5 6 7 8; do
    fetch -o "got.$i" "http://$near/large" &
    pulls="$pulls $!"
done
for one in $pulls; do
    wait "$one"
done
for i in 1 2 3 4 5 6 7 8; do
    same web/files/large "got.$i"
done

# a reader that leaves half-way leaves nothing behind
timeout 100 curl -s --max-time 1 --limit-rate 1M -o /dev/null "http://$near/large"

if command -v wrk >/dev/null; then
    for address in "$service" "$near"; do
        timeout 100 wrk -t 2 -c 50 -d "${SECONDS_EACH}s" "http://$address/small" >wrk.out || bad "wrk"
        grep Requests/sec wrk.out | sed "s/^/$address /"
        ! grep -E 'Socket errors|Non-2xx' wrk.out || bad "wrk at $address"
    done
fi
alive "$server" "$client"
calm "$server" "$client"
done_testing
