# Tab completion of duet(1) for bash.
#
# The choices come from the command's own --help, so they are always up to date: the
# subcommands, each one's options, and by the word behind an option's = what it takes.
# shellcheck shell=bash disable=SC2207 # words are split, at newlines

# _duet_take ARGUMENT: offer what an option takes, or an operand, by what --help calls it.
_duet_take() {
    case $1 in
    FILE* | PATH | DIR*)
        compopt -o filenames 2>/dev/null # which bash 3 does not know
        case $1 in
        DIR*) COMPREPLY=($(compgen -d -- "$current")) ;;
        *) COMPREPLY=($(compgen -f -- "$current")) ;;
        esac
        ;;
    CMD) COMPREPLY=($(compgen -c -- "$current")) ;;
    USER) COMPREPLY=($(compgen -u -- "$current")) ;;
    *'|'*) COMPREPLY=($(compgen -W "${1//|/$IFS}" -- "$current")) ;;
    esac
}

# _duet_operands: how the operands of a subcommand are called.
_duet_operands() {
    case $1 in
    key)
        if [ "$COMP_CWORD" -gt 2 ]; then
            echo FILE
        else
            "$command" key --help | sed -n 's/\[[^]]*\]//g; s/FILE//g; s/ //g; s/^Usage:duetkey//p'
        fi
        ;;
    ctl) "$command" ctl --help | sed -n 's/ WHICH//; s/^Usage: duet ctl //p' ;;
    send) echo FILE ;;
    esac
}

_duet() {
    local command=$1 current=$2 previous=$3 subcommand=${COMP_WORDS[1]} IFS=$'\n'
    local option='^ *(-([a-zA-Z?]), )?(--[a-z-]+)(=([^ ]+))?' line options='' argument=''
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        options=$("$command" --help 2>/dev/null | sed -n 's/^  duet \([a-z]*\) .*/\1/p')
        COMPREPLY=($(compgen -W "$options" -- "$current"))
        return
    fi
    # --option=value comes as three words.
    [ "$current" != = ] || current=
    [ "$previous" != = ] || previous=${COMP_WORDS[COMP_CWORD - 2]}
    while read -r line; do
        [[ $line =~ $option ]] || continue
        options=$options$IFS${BASH_REMATCH[3]}${BASH_REMATCH[2]:+$IFS-${BASH_REMATCH[2]}}
        if [ "$previous" = "${BASH_REMATCH[3]}" ] || [ "$previous" = "-${BASH_REMATCH[2]}" ]; then
            argument=${BASH_REMATCH[5]}
        fi
    done < <("$command" "$subcommand" --help 2>/dev/null)
    if [ -n "$argument" ]; then
        _duet_take "$argument"
    elif [ "${current#-}" != "$current" ]; then
        COMPREPLY=($(compgen -W "$options" -- "$current"))
    else
        _duet_take "$(_duet_operands "$subcommand" 2>/dev/null)"
    fi
}

complete -F _duet duet
