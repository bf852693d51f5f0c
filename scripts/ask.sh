# What scripts share that install something: asking first, and becoming root.
# shellcheck shell=sh

# `yes` is set to 1 by a script that was given --yes.
yes=

# as_root: prints the word that goes before a command that needs root: nothing, or "sudo ". Fails when
# neither is possible.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        return 0
    elif command -v sudo >/dev/null; then
        echo "sudo "
    else
        return 1
    fi
}

# may QUESTION: whether to go on with something that needs root. Asks on a terminal.
may() {
    as_root >/dev/null || return 1
    if [ -n "$yes" ] || [ "${CI:-}" = true ]; then
        return 0
    elif [ -t 0 ] && [ -t 1 ]; then
        printf '%s? [y/N] ' "$1"
        read -r answer || answer=
        case $answer in [yY] | [yY][eE][sS]) return 0 ;; esac
        return 1
    fi
    [ "$(id -u)" -eq 0 ]
}
