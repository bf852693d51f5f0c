#!/bin/sh
# The configurations in examples/tunnels: duet finds nothing wrong with them, once the keys that they
# name are there.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../cli/common.sh
. "$here/../cli/common.sh"
examples=$here/../../examples/tunnels
mkdir etc
for file in "$examples"/*.conf; do
    for path in $(grep -o "/etc/duet/[a-z.-]*" "$file" | sort -u); do
        case $path in
        *.key) [ -e "etc/${path##*/}" ] || duet keygen -q -o "etc/${path##*/}" ;;
        *) printf 'name\npassword\n' >"etc/${path##*/}" && chmod 600 "etc/${path##*/}" ;;
        esac
    done
    sed "s#/etc/duet/#$work/etc/#" "$file" >checked.conf
    duet run -c checked.conf --check >out 2>&1 || bad "$file: $(cat out)"
    grep -q "${file##*/}" "$examples/README.md" || bad "$file is not in the README"
done
done_testing
