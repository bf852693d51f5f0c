#!/bin/sh
# Key files under a passphrase: made, used, changed, removed, refused; at a terminal and from a
# descriptor; and that a change never leaves half a file.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# ---- From a descriptor ----
echo 'one two' >one
echo three >three
cat one three >both
expect 0 "" duet keygen -q -o s --passphrase --passphrase-fd 0 <one
id=$(cat out)
expect 0 "" duet keygen -q --identity -o i --passphrase --passphrase-fd 7 7<one
public=$(cat out)
for file in s i; do
    [ "$(stat -c %a $file)" = 600 ] || bad "mode of $file"
    [ "$(head -1 $file)" = '[Sealed]' ] || bad "$file is not sealed"
    grep -q '^Secret\|^PrivateKey\|^PublicKey\|^Id' $file && bad "$file tells what it holds"
done
expect 0 "" duet key show --passphrase-fd 0 s <one
says "^id: $id" out
says '^sealed: with a passphrase' out
expect 0 "" duet key show --passphrase-fd 0 i <one
says "^public key: $public" out
expect 8 "the passphrase is wrong" duet key show --passphrase-fd 0 s <three
expect 2 "is empty" duet key show --passphrase-fd 0 s <<END

END
expect 2 "ended before a passphrase came" duet key show --passphrase-fd 0 s </dev/null
expect 9 "no passphrase could be read" duet key show --passphrase-fd 9 s </dev/null
expect 2 "must be the number" duet key show --passphrase-fd x s
head -c 3000 /dev/zero | tr '\0' x >long
expect 2 "over 1024 bytes" duet key show --passphrase-fd 0 s <long
chmod 640 s
expect 8 "others can read" duet key show --passphrase-fd 0 s <one
chmod 600 s
sed 's/^Work = .*/Work = 40/' s >work
chmod 600 work
expect 8 "work:3: Work is not a number" duet key show --passphrase-fd 0 work <one
sed '/^Data/,$d' s >short
chmod 600 short
expect 8 "Data" duet key show --passphrase-fd 0 short <one
expect 8 "give it with -k" duet ping -i s --passphrase-fd 0 -k s 127.0.0.1:9 <one
expect 2 "name it with -o" duet keygen --passphrase --passphrase-fd 0 <one

# ---- In use: one line serves for all the files ----
next_port
start listener "$DUET" pipe -l 127.0.0.1:$port -k s -i i --pattern ephemeral --passphrase-fd 3 3<one
listening listener
echo hello | duet pipe 127.0.0.1:$port -k s -i i --pattern ephemeral --passphrase-fd 3 3<one >/dev/null 2>err ||
    bad "pipe under a passphrase: $(cat err)"
ended listener 0
says hello listener.out

# ---- Changed, removed, set again; a link stays one ----
ln -s s link
expect 0 "" duet key passphrase -q --passphrase-fd 0 link <both
[ -L link ] || bad "the link was replaced"
expect 8 "wrong" duet key show --passphrase-fd 0 s <one
expect 0 "" duet key show --passphrase-fd 0 s <three
says "^id: $id" out
expect 0 "" duet key passphrase -q --remove --passphrase-fd 0 s <three
expect 0 "" duet key show s
says "^id: $id" out
expect 0 "" duet key passphrase -q --passphrase-fd 0 s <one
expect 0 "" duet key show --passphrase-fd 0 s <one
[ "$(stat -c %a s)" = 600 ] || bad "mode of s after changes"
printf '[Peer a]\nPublicKey = %s\n' "$public" >peers
expect 2 "holds nothing secret" duet key passphrase peers
expect 2 "is for duet key passphrase" duet key show --remove s
[ "$(echo s.*)" = 's.*' ] || bad "something is left beside the key: $(echo s.*)"

# ---- The owner stays, but root gives nothing away in a folder of another user's ----
if [ "$(id -u)" = 0 ] && mkdir -p owned/theirs && cp s owned/s && chown 12345:12345 owned/s 2>/dev/null; then
    SUDO_UID=12345 expect 0 "" duet key passphrase -q --passphrase-fd 0 owned/s <both
    [ "$(stat -c %u:%g:%a owned/s)" = 12345:12345:600 ] || bad "the owner after a change: $(stat -c %u:%g:%a owned/s)"
    cp -p owned/s owned/theirs/s
    cp -p owned/s before
    chown 12345:12345 owned/theirs
    printf 'three\nfour\n' >later
    SUDO_UID=12345 expect 9 "run this as the owner" duet key passphrase -q --passphrase-fd 0 owned/theirs/s <later
    chown 0:0 owned/theirs
    chmod 770 owned/theirs
    SUDO_UID=12345 expect 9 "run this as the owner" duet key passphrase -q --passphrase-fd 0 owned/theirs/s <later
    same before owned/theirs/s
    [ "$(stat -c %u owned/theirs/s)" = 12345 ] || bad "the owner after a refused change"
    [ "$(echo owned/theirs/*)" = owned/theirs/s ] || bad "something is left beside the key: $(echo owned/theirs/*)"
fi

# ---- A command does not get the descriptor ----
duet pipe -k s --passphrase-fd 7 --timeout 5 --handshake-timeout 1 \
    --exec 'ls -l /proc/self/fd >&2' 7<one 2>seen >/dev/null </dev/null
grep -q ' 7 -> ' seen && bad "the command has the passphrase's descriptor: $(cat seen)"

# ---- What follows a sealed key is sealed ----
expect 0 "" duet key rotate -q --passphrase-fd 0 s <one
[ "$(head -1 s.new)" = '[Sealed]' ] || bad "the key that follows a sealed one is not sealed"
expect 0 "" duet key show --passphrase-fd 0 s.new <one
rm s.new
expect 0 "" duet key rotate -q --passphrase --passphrase-fd 0 -o next s <both
expect 0 "" duet key show --passphrase-fd 0 next <three

# ---- At a terminal ----
needs_python
cat >typed.py <<'END'
"""typed.py [-s SIGNAL] COMMAND... : runs it on a terminal and types each line of standard input at a prompt;
prints what the terminal shows, then the exit code and whether the echo is on again."""
import os, pty, signal, sys, termios
lines = sys.stdin.read().split("\n")[:-1]
stop = None
if sys.argv[1] == "-s":
    stop = getattr(signal, sys.argv[2])
    del sys.argv[1:3]
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
def until_prompt():
    global seen
    while not is_prompt():
        try:
            part = os.read(terminal, 1)
        except OSError:
            return False
        if not part:
            return False
        seen += part
    seen += b"?"
    return True

def is_prompt():
    line = seen.split(b"\n")[-1]
    return line.endswith(b": ") and line.startswith((b"Passphrase for", b"New passphrase", b"The same"))
for line in lines:
    if not until_prompt():
        break
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        pass
    os.write(terminal, line.encode() + b"\n")
if stop is not None and until_prompt():
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        pass
    os.kill(child, stop)
try:
    while True:
        part = os.read(terminal, 4096)
        if not part:
            break
        seen += part
except OSError:
    pass
status = os.waitpid(child, 0)[1]
try:
    echo = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
except termios.error:
    echo = None
sys.stdout.write(seen.decode().replace("\r\n", "\n"))
print("CODE", status >> 8, "SIGNAL", status & 127, "ECHO", echo)
END

# typed CODE TEXT COMMAND...: standard input is typed
typed() {
    code=$1 text=$2
    shift 2
    timeout 300 "$PYTHON" typed.py "$@" >seen || bad "typed.py: $(cat seen)"
    says "CODE $code " seen
    says "$text" seen
    grep -q 'three\|one two\|wrong!' seen && bad "the terminal shows what was typed: $(cat seen)"
}

typed 0 "id: $id" "$DUET" key show s <one
printf 'wrong!\none two\n' | typed 0 "is wrong, or the file is damaged; try again" "$DUET" key show s
printf 'wrong!\nwrong!\nwrong!\n' | typed 8 "the passphrase is wrong" "$DUET" key show s
printf 'one two\nthree\nthree\n' | typed 0 "has the new passphrase now" "$DUET" key passphrase s
printf 'three\none two\nwrong!\n' | typed 2 "the two passphrases differ" "$DUET" key passphrase s
typed 0 "id: $id" "$DUET" key show s <three
for name in SIGINT SIGTERM SIGHUP; do
    timeout 300 "$PYTHON" typed.py -s $name "$DUET" key show s </dev/null >seen || bad "$name at the prompt hangs"
    grep -q 'SIGNAL 0 ' seen && bad "$name at the prompt: $(cat seen)"
    grep -q 'ECHO False' seen && bad "$name leaves the terminal without echo"
done
expect 8 "no terminal to ask" setsid -w "$DUET" key show s </dev/null

# ---- Killed at any moment of a change: the old file or the new one is whole ----
for n in 1 2 3 4 5 6 7 8; do
    cp s before
    "$DUET" key passphrase -q --passphrase-fd 0 s <<END 2>/dev/null &
three
four $n
END
    changing=$!
    sleep 0.$n
    kill -KILL $changing 2>/dev/null
    wait $changing 2>/dev/null
    rm -f s.*
    if duet key show --passphrase-fd 0 s <three >out 2>&1; then
        same before s
    else
        echo "four $n" | duet key show --passphrase-fd 0 s >out 2>err || bad "killed: $(cat out err)"
        cp before s
        chmod 600 s
    fi
done
done_testing
