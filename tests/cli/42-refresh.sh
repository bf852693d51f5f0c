#!/bin/sh
# Refresh by policy: a channel asks for fresh keys by itself, by bytes and by time; -v and ping count.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
duet keygen -o k >/dev/null
head -c 40000000 /dev/urandom >down # more than the buffers on the way hold
head -c 30000000 /dev/urandom >up

# ---- By bytes, both ways at once ----
next_port
start listener "$DUET" pipe -v -k k --refresh-bytes 100k --in down --out got.up -l 127.0.0.1:$port
listening listener
expect 0 "" duet pipe -v -k k --refresh-bytes 100k --in up --out got.down 127.0.0.1:$port
ended listener 0
cmp -s up got.up || bad "what went up differs"
cmp -s down got.down || bad "what went down differs"
for log in err listener.err; do
    says "refreshes [1-9]" $log
done

# ---- One end asks alone; by default neither does for so little ----
next_port
start listener "$DUET" pipe -v -k k --refresh-bytes 0 --refresh-time never --in down --out got.up -l 127.0.0.1:$port
listening listener
expect 0 "" duet pipe -v -k k --refresh-bytes 1M --in up --out got.down 127.0.0.1:$port
ended listener 0
says "refreshes [1-9]" listener.err
next_port
start listener "$DUET" pipe -v -k k --in down --out got.up -l 127.0.0.1:$port
listening listener
expect 0 "" duet pipe -v -k k --in up --out got.down 127.0.0.1:$port
ended listener 0
if grep refreshes err listener.err; then bad "a refresh for 70 MB"; fi

# ---- By time ----
next_port
mkfifo open # an end that sends CLOSE answers no more
hold_open >open &
children="$children $!"
stdin=open start listener "$DUET" pipe -v -k k -l 127.0.0.1:$port
listening listener
expect 0 "" duet ping -c 8 --json --refresh-time 1 -k k 127.0.0.1:$port
says '"refreshes": [1-9]' out

# ---- What is refused ----
expect 2 "must be a number such as" duet ping -k k --refresh-bytes much 127.0.0.1:1
expect 2 "or never" duet ping -k k --refresh-time 0.1 127.0.0.1:1
done_testing
