#!/bin/sh
# No error prints a secret: key files, whole and mangled, where another file is meant, in every place
# that reads one, and digits of a secret where any word is meant. Eight base64 digits in a row would be
# found.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
umask 077
duet keygen -o secret.key >/dev/null
duet keygen --identity -o my.id >my.public
duet keygen --identity -o other.id >/dev/null
printf '[Tunnel a]\nside = client\nlisten = 127.0.0.1:1\ntarget = 127.0.0.1:1\nkey = secret.key\n' >good.conf

# digits FILE: the lines of base64, as they stand
digits() {
    sed -n 's/^\(Secret\|PrivateKey\) = //p; s/^    //p' "$1"
}
for file in secret.key my.id; do
    digits $file | fold -w 8 | grep '........'
done >pieces
[ "$(wc -l <pieces)" -ge 170 ] || bad "too few pieces: $(wc -l <pieces)"

prints_no_secret() {
    timeout 300 "$DUET" "$@" >printed 2>&1 </dev/null && [ "$1" != key ] && bad "it went well: $*"
    [ -s printed ] || bad "there is no message: $*"
    grep -qF -f pieces printed && bad "printed: $*: $(cat printed)"
}

for key in secret.key my.id; do
    cp $key whole
    sed 1d $key >headless
    digits $key >bare
    digits $key | tail -n 1 >last
    sed 's/^ *//' $key >flat
    { echo '[Nothing]'; digits $key | sed 's/$/ = 1/'; } >names
    { echo '[Peer x]'; echo "PublicKey = $(digits $key | tail -n 1)x"; } >values
    { echo '[Secret]'; echo "Version = $(digits $key | tail -n 1)"; } >versions
    { echo '[Secret]'; digits $key | tr -d '\n'; } >joined
    for how in whole headless bare last flat names values versions joined; do
        { cat good.conf && cat $how; } >pasted.conf
        { cat good.conf && sed 's/^/[/' $how; } >sections.conf
        prints_no_secret run -c $how --check
        prints_no_secret run -c pasted.conf --check
        [ $how != whole ] || continue # here it is what is meant, or names what it is
        prints_no_secret pipe -k $how 127.0.0.1:1
        prints_no_secret pipe -k secret.key -i $how 127.0.0.1:1
        prints_no_secret pipe -k secret.key -i other.id --peers $how 127.0.0.1:1
        prints_no_secret pipe -k secret.key --profile $how 127.0.0.1:1
        prints_no_secret key show $how
    done
done

all=$(digits secret.key | tr -d ' \n')
row=$(echo "$all" | cut -c65-128)
small=$(echo "$all" | base64 -d | head -c 64 | base64 -w 0)
hex=$(echo "$all" | base64 -d | head -c 64 | od -An -v -tx1 | tr -d ' \n')
echo "$hex" | fold -w 8 >>pieces
for word in "$all" "$row" "$small" "$hex" "$row " "Secret = $row" "/$row" "$(printf '%s\n    %s' "$row" "$row")"; do
    prints_no_secret "$word"
    prints_no_secret pipe -k "$word" 127.0.0.1:1
    prints_no_secret pipe -k secret.key -i "$word" 127.0.0.1:1
    prints_no_secret pipe -k secret.key --profile "$word" 127.0.0.1:1
    prints_no_secret pipe -k secret.key "$word"
    prints_no_secret pipe -k secret.key "$word:1"
    prints_no_secret pipe -k secret.key 127.0.0.1:1 "$word"
    prints_no_secret pipe -k secret.key "--kee=$word" 127.0.0.1:1
    prints_no_secret pipe -k secret.key --pattern "$word" 127.0.0.1:1
    prints_no_secret client -k secret.key --listen "$word" --target 127.0.0.1:1
    prints_no_secret key show "$word"
    prints_no_secret keygen --size "$word" -o new.key
    for name in key identity peers listen target user timeout; do
        { cat good.conf && printf '%s = %s\n' $name "$word"; } >worded.conf
        prints_no_secret run -c worded.conf --check
    done
    prints_no_secret run -c "$word"
done
# a proxy's password within its address
url=socks5://bob:hunter2@127.0.0.1:1
duet pipe -k good.key --proxy $url 127.0.0.1:2 >printed 2>&1 && bad "a proxy's password is taken from argv"
{ cat good.conf && printf 'proxy = %s\n' $url; } >worded.conf
duet run -c worded.conf --check >>printed 2>&1 && bad "a proxy's password is taken from its address"
grep -q hunter2 printed && bad "a proxy's password is printed: $(cat printed)"
# a word that is not a key is printed, however long
long=/home/user/projects/customers/acme/production/secrets/duet/of/2026/key
expect 8 "$long: No such file" duet pipe -k $long 127.0.0.1:1
# the control: an unknown name is printed
duet run -c good.conf --check >printed 2>&1 || bad "a good file: $(cat printed)"
echo 'colour = red' >>good.conf
duet run -c good.conf --check >printed 2>&1 && bad "an unknown name went well"
says 'colour: no such setting' printed
done_testing
