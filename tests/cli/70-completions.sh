#!/bin/sh
# Tab completion offers what --help tells, in each shell that is here: every subcommand, every option
# of each, and what the options and operands take.
here=$(cd "$(dirname "$0")/../.." && pwd)/completions
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
mkdir bin folder
ln -s "$DUET" bin/duet
PATH=$work/bin:$PATH
cp "$DUET" 'a file' # files have blanks
export here
LC_ALL=C.UTF-8 # the shells decode paths, which may hold any letters
export LC_ALL

cat >bash.sh <<'END'
. "$here/duet.bash"
shift $(($# - 1))
IFS=' '
COMP_WORDS=(${1//=/ = })
[ "${1% }" = "$1" ] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_duet duet "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
END

# zsh's own functions want a terminal: what they are given is looked at.
cat >zsh.sh <<'END'
fpath=($here $fpath)
autoload -U _duet
_call_program() { shift; eval "$@" }
_describe() { print -rl -- ${subcommands%%:*} }
_arguments() {
    local spec
    for spec in ${@[4,-1]}; do # behind -s -S :
        if [[ $current == -* ]]; then
            [[ $spec == '*-'* ]] && print -r -- ${${spec#'*'}%%[=+\[]*}
        elif [[ $previous == -* ]]; then
            [[ $spec == '*'${previous}[=+]* ]] && print -r -- ${spec##*:}
        elif [[ $spec == 1:* ]]; then
            print -r -- ${spec##*:}
        fi
    done
}
words=(${(s: :)1}) && [[ $1 == *' ' ]] && words+=("")
CURRENT=$#words current=$words[-1] previous=$words[-2]
_duet | sed -e 's/^(\(.*\))$/\1/' | tr ' ' '\n'
END

cat >fish.sh <<'END'
source $here/duet.fish
complete -C $argv[1] | string replace --regex '\t.*' ''
END

# offers LINE: what this shell offers after it, sorted.
offers() {
    case $shell in
    bash) bash --norc bash.sh "$1" ;;
    zsh) zsh -f zsh.sh "$1" ;;
    fish) fish --no-config fish.sh "$1" ;;
    esac 2>err | sort -u
    [ ! -s err ] || bad "$shell: $1: $(cat err)"
}

# offered LINE WORD...: exactly these.
offered() {
    line=$1
    shift
    printf '%s\n' "$@" | sort -u >want
    offers "$line" >got
    cmp -s want got || bad "$shell: '$line' offers $(tr '\n' ' ' <got), not $(tr '\n' ' ' <want)"
}

subcommands=$(duet --help | sed -n 's/^  duet \([a-z]*\) .*/\1/p')
[ "$(echo "$subcommands" | wc -l)" -ge 12 ] || bad "no subcommands: $subcommands"
for shell in bash zsh fish; do
    command -v $shell >/dev/null || {
        echo "$shell is not here, and not looked at" >&2
        continue
    }
    # shellcheck disable=SC2086
    offered "duet " $subcommands
    for subcommand in $subcommands; do
        # shellcheck disable=SC2046
        offered "duet $subcommand -" \
            $(duet "$subcommand" --help | grep -oE '^ +(-., )?--[a-z-]+' | tr -d ' ' | tr ',' '\n')
    done
    offered "duet pipe --pattern " secret ephemeral identity
    offered "duet server --proxy-protocol " none in out both
    offered "duet key " show passphrase rotate
    # shellcheck disable=SC2046
    offered "duet ctl " $(duet ctl --help | sed -n 's/ WHICH//; s/|/ /g; s/^Usage: duet ctl //p')
done
# how files are called is zsh's own affair
shell=bash offered "duet pipe -k a" "a file"
shell=bash offered "duet recv --output=f" folder
if command -v fish >/dev/null; then
    shell=fish offered "duet pipe -k a" "a file"
    shell=fish offered "duet recv --output=f" --output=folder/
fi
done_testing
