#!/bin/sh
# keygen and key show, and every way in which a key, identity, peers or profile file can be bad.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# ---- Making and showing ----
expect 0 "" duet keygen -o secret.key
id=$(cat out)
[ "$(stat -c %a secret.key)" = 600 ] || bad "mode of secret.key"
expect 0 "" duet key show secret.key
says "kind: secret" out
says "id: $id" out
says "size: 1024 bytes" out
grep -q keylog out && bad "key show tells what nothing acts on"
grep -q "$(sed -n 's/^Secret = //p' secret.key)" out && bad "key show tells the secret"
expect 9 "never overwritten" duet keygen -o secret.key
expect 0 "" duet keygen --size 64 -o small.key
expect 0 "" duet keygen --size 65536 -o large.key
expect 0 "" duet key show large.key
says "size: 65536 bytes" out
for size in 63 62 65537 65538 x -2 "" 1e3; do
    expect 2 "size" duet keygen --size "$size" -o another.key
done
[ ! -e another.key ] || bad "a key was made of a bad size"
expect 9 "No such file" duet keygen -o nowhere/x.key
duet keygen >stdout.key 2>err || bad "keygen to standard output"
chmod 600 stdout.key
expect 0 "" duet key show stdout.key
says "id: $(cat err)" out
on_terminal() {
    "$PYTHON" -c 'import pty, sys; pty.spawn(sys.argv[1:])' "$@" </dev/null
}
: "${PYTHON:=python3}"
if "$PYTHON" -c '' 2>/dev/null; then
    on_terminal "$DUET" keygen >seen
    says "the key is on this terminal; -o FILE" seen
    on_terminal "$DUET" keygen -o kept.key >seen
    grep -q terminal seen && bad "a key in a file is spoken of: $(cat seen)"
else
    without "keygen on a terminal" "python3 is not installed"
fi
expect 0 "" duet keygen --identity -o my.id
public=$(cat out)
expect 0 "" duet key show my.id
says "public key: $public" out
sed -n 's/^PrivateKey = //p' my.id >bare.id # as wg genkey prints
chmod 600 bare.id
expect 0 "" duet key show bare.id
says "public key: $public" out
expect 2 "one size" duet keygen --identity --size 64

# ---- Bad key files, through every command that takes them ----
mkdir folder empty
: >empty.key
head -c 100 secret.key >cut.key
grep -v '^Version' secret.key >noversion.key
sed 's/^Version = 1/Version = 2/' secret.key >later.key
sed 's/^Id = ./Id = g/' secret.key >badid.key
sed 's/^Secret = ..../Secret = !!!!/' secret.key >badbase.key
sed 's/^Secret = \(.\)/Secret = A\1/' secret.key >longer.key
{ cat secret.key && echo 'NotAfter = 2001-01-01'; } >old.key
{ cat secret.key && echo 'NotAfter = 2001-02-30'; } >baddate.key
{ cat secret.key && echo 'Colour = blue'; } >unknown.key
head -c 2000000 /dev/zero >huge.key
head -c 3000 /dev/urandom >noise.key
chmod 600 ./*.key
cp secret.key open.key
chmod 644 open.key
cp my.id open.id
chmod 640 open.id
while read -r file text; do
    expect 8 "$text" duet pipe -k "$file" 127.0.0.1:1
    expect 8 "$text" duet send -k "$file" secret.key 127.0.0.1:1
    expect 8 "$text" duet recv -k "$file" -l 127.0.0.1:1
    expect 8 "$text" duet ping -k "$file" 127.0.0.1:1
done <<END
missing.key No such file
empty.key is empty
cut.key cut
noversion.key Version
later.key later.key:2: Version
badid.key badid.key:3: Id
badbase.key base64
longer.key damaged
old.key expired after 2001-01-01; .* or set this machine's clock
baddate.key NotAfter
unknown.key unknown name
huge.key too large
noise.key noise.key
open.key chmod 600
my.id is an identity; give it with -i
END
expect 8 "is a folder" duet pipe -k folder 127.0.0.1:1
expect 8 "holds no key" duet pipe -k empty -l 127.0.0.1:1
expect 8 "chmod 600" duet key show open.key
cp bare.id open.bare
chmod 644 open.bare
expect 8 "chmod 600" duet key show open.bare
expect 8 "is a folder" duet key show folder
for file in /etc/passwd noise.key; do # a file that is not a key may be readable
    expect 8 "^duet: $file: is not a file that duet knows" duet key show $file
done
expect 8 "No such file" duet key show nothing
expect 2 "it is one of show, passphrase, rotate" duet key look secret.key
expect 8 "chmod 600" duet pipe -k secret.key -i open.id 127.0.0.1:1
expect 8 "No such file" duet pipe -k secret.key -i missing.id 127.0.0.1:1
expect 8 "is a shared secret" duet pipe -k secret.key -i secret.key 127.0.0.1:1
# a key given in place of its file is not printed, as any other path is
for key in "$(cat my.id)" "$(cat bare.id)" "$(cat small.key)"; do
    itself="a key is given where its file is meant"
    expect 8 "$itself" duet key show "$key"
    expect 8 "$itself" duet pipe -k "$key" 127.0.0.1:1
    expect 8 "$itself" duet pipe -k secret.key -i "$key" 127.0.0.1:1
    expect 2 "$itself" duet pipe -k secret.key --profile "$key" 127.0.0.1:1
done
printf '[Tunnel a]\nside = client\nlisten = 127.0.0.1:1\ntarget = h:1\nkey = secret.key\nidentity = %s\n' \
    "$(cat bare.id)" >wg.conf
expect 8 "wg.conf:1: tunnel a: a key is given where its file is meant" duet run -c wg.conf --check
ln -s secret.key link.key && ln -s nothing dangling.key
expect 3 "" duet pipe -k link.key 127.0.0.1:1
expect 8 "dangling.key: is a link to a file that is not there" duet pipe -k dangling.key 127.0.0.1:1
if [ "$(id -u)" -eq 0 ] && cp -p secret.key theirs.key && chown 1234 theirs.key 2>/dev/null; then
    expect 8 "theirs.key: belongs to another user (1234)" duet pipe -k theirs.key 127.0.0.1:1
    expect 3 "" env SUDO_UID=1234 "$DUET" pipe -k theirs.key 127.0.0.1:1
fi
expect 2 "no key" duet pipe 127.0.0.1:1
expect 2 "only a listener takes several" duet pipe -k secret.key -k small.key 127.0.0.1:1
(
    mkdir credentials && cp secret.key credentials/duet && chmod 644 credentials/duet
    failures=0
    CREDENTIALS_DIRECTORY=$work/credentials
    export CREDENTIALS_DIRECTORY
    expect 3 "" duet pipe -k "$work/credentials/duet" 127.0.0.1:1
    [ $failures -eq 0 ]
) || bad "a credential of systemd's"

# ---- Peers and profiles ----
printf '[Peer alice]\nPublicKey = %s\n' "$public" >peers
expect 0 "" duet key show peers
says "$public  alice" out
printf '[Peer alice]\nPublicKey = x\n' >bad.peers
printf '[Profile]\nLabel = acme\nHelloSize = 0 100\n' >profile
printf '[Profile]\nLabel = acme\nHelloSize = 100 0\n' >bad.profile
printf '[Profile]\nHelloPad = 0 100\n' >old.profile
printf '[Profile]\nDialect = secret\nFirst = 2 500 600\n' >dialect.profile
: >empty.profile
expect 0 "" duet key show profile
says "kind: profile" out
says "flight of a HELLO: 0 to 100 bytes" out
expect 0 "" duet key show dialect.profile
says "dialect: secret" out
says "flight of a HELLO: as the dialect says" out
says "first writes: 2, filled to 500 to 600 bytes" out
cp peers open.peers && chmod 666 open.peers
expect 2 "open.peers: everybody can write it" duet pipe -k secret.key -i my.id --peers open.peers 127.0.0.1:1
cp peers group.peers && chmod 664 group.peers
expect 2 "group.peers: its group can write it (mode 664)" duet pipe -k secret.key -i my.id --peers group.peers 127.0.0.1:1
cp profile group.profile && chmod 620 group.profile
expect 2 "group.profile: its group can write it (mode 620)" duet pipe -k secret.key --profile group.profile 127.0.0.1:1
printf '[Tunnel a]\nside = client\nlisten = 127.0.0.1:1\ntarget = h:1\nkey = secret.key\n' >group.conf
expect 0 "" duet run -c group.conf --check
chmod 660 group.conf
expect 2 "group.conf: its group can write it (mode 660)" duet run -c group.conf --check
chmod 606 group.conf
expect 2 "group.conf: everybody can write it (mode 606)" duet run -c group.conf --check
expect 2 "bad.peers:2: PublicKey" duet pipe -k secret.key -i my.id --peers bad.peers 127.0.0.1:1
expect 2 "No such file" duet pipe -k secret.key -i my.id --peers missing 127.0.0.1:1
expect 2 "is a profile; give it with --profile" duet pipe -k secret.key -i my.id --peers profile 127.0.0.1:1
expect 2 "needs -i" duet pipe -k secret.key --peers peers 127.0.0.1:1
expect 2 "bad.profile:3: HelloSize" duet pipe -k secret.key --profile bad.profile 127.0.0.1:1
expect 2 "old.profile:2: HelloPad is no longer known: write HelloSize" duet pipe -k secret.key --profile old.profile 127.0.0.1:1
expect 2 "is empty" duet pipe -k secret.key --profile empty.profile 127.0.0.1:1
expect 2 "is a folder" duet pipe -k secret.key --profile folder 127.0.0.1:1
expect 2 "is a peers file; give it with --peers" duet pipe -k secret.key --profile peers 127.0.0.1:1
expect 2 "needs -i" duet pipe -k secret.key --pattern identity 127.0.0.1:1
expect 2 "must be secret, ephemeral or identity" duet pipe -k secret.key --pattern 7 127.0.0.1:1

# ---- A folder in which everybody may put another file ----
mkdir shared && cp secret.key peers profile shared/ && cp my.id shared/me && cp group.conf shared/conf
chmod 600 shared/*
chmod 757 shared
folder="everybody can write in its folder"
expect 8 "shared/secret.key: $folder" duet pipe -k shared/secret.key 127.0.0.1:1
expect 8 "shared/secret.key: $folder" duet key show shared/secret.key
expect 8 "shared/me: $folder" duet pipe -k secret.key -i shared/me 127.0.0.1:1
expect 2 "shared/peers: $folder" duet pipe -k secret.key -i my.id --peers shared/peers 127.0.0.1:1
expect 2 "shared/profile: $folder" duet pipe -k secret.key --profile shared/profile 127.0.0.1:1
expect 2 "shared/conf: $folder" duet run -c shared/conf --check
expect 8 "secret.key: $folder" sh -c 'cd shared && exec timeout 300 "$0" pipe -k secret.key 127.0.0.1:1' "$DUET"
chmod 1777 shared # as /tmp: others cannot move what is there
expect 3 "" duet pipe -k shared/secret.key 127.0.0.1:1

# ---- What root gives to the group of this process, as a kubelet does ----
as_user() {
    setpriv --reuid 65532 --regid 65532 --clear-groups "$DUET" "$@"
}
chmod 711 .
if [ "$(id -u)" -eq 0 ] && as_user version >/dev/null 2>&1; then
    mkdir -m 3777 volume && mkdir -m 755 volume/..2027 && ln -s ..2027 volume/..data && ln -s ..data/key volume/key
    cp secret.key volume/..2027/key
    chgrp 65532 volume/..2027/key && chmod 440 volume/..2027/key
    expect 3 "" as_user pipe -k volume/key 127.0.0.1:1
    chmod 640 volume/..2027/key
    expect 3 "" as_user pipe -k volume/key 127.0.0.1:1
    for mode in 444 644 460; do
        chmod $mode volume/..2027/key
        expect 8 "volume/key: others can read or write it (mode $mode); .* chmod 640 it" as_user pipe -k volume/key 127.0.0.1:1
    done
    expect 3 "" env CREDENTIALS_DIRECTORY="$work/volume" setpriv --reuid 65532 --regid 65532 --clear-groups \
        "$DUET" pipe -k "$work/volume/key" 127.0.0.1:1
    chmod 440 volume/..2027/key # root reads it whoever else may
    expect 8 "chmod 600 it" duet pipe -k volume/key 127.0.0.1:1
else
    without "keys that root gives to a group" "needs root"
fi
done_testing
