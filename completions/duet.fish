# Tab completion of duet(1) for fish.
#
# The choices come from the command's own --help, so they are always up to date: the
# subcommands, each one's options, and by the word behind an option's = what it takes.

# What an option takes, or an operand, by what --help calls it.
function __duet_take --argument-names argument current
    switch $argument
        case 'FILE*' PATH
            __fish_complete_path $current
        case 'DIR*'
            __fish_complete_directories $current
        case CMD
            complete -C $current
        case USER
            __fish_complete_users
        case '*|*'
            string split '|' -- $argument
    end
end

# The operands of a subcommand, which is so many words ago.
function __duet_operands --argument-names command subcommand words current
    switch $subcommand
        case key
            if test $words -eq 2
                $command key --help | string replace --all --regex '\[[^]]*\]|FILE| ' '' |
                    string replace --filter 'Usage:duetkey' '' | string split '|'
            else
                __duet_take FILE $current
            end
        case send
            __duet_take FILE $current
        case ctl
            $command ctl --help | string replace ' WHICH' '' |
                string replace --filter 'Usage: duet ctl ' '' | string split '|'
    end
end

# The options of a subcommand, a line for each: short and long name, what it takes, what it is for.
function __duet_options --argument-names command subcommand
    # Lines that were wrapped are joined.
    $command $subcommand --help 2>/dev/null |
        awk '/^                    / { sub(/^ +/, " "); line = line $0; next }
            { print line; line = $0 }
            END { print line }' |
        string replace --filter --regex \
            '^ *(-[a-zA-Z?]|)(?:, |)(--[a-z-]+)(?:=|)([^ ]*) {2,}(.*)' '$1\t$2\t$3\t$4'
end

function __duet_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l argument
    set -l names
    if test (count $words) -eq 1
        $words[1] --help | string replace --filter --regex '^  duet ([a-z]+) +(.*)' '$1\t$2'
        return
    end
    set -l given (string split --max 1 '=' -- $current)
    for line in (__duet_options $words[1] $words[2])
        set -l part (string split \t -- $line)
        set -a names $part[2]\t$part[4]
        test -n "$part[1]"; and set -a names $part[1]\t$part[4]
        if test -z "$part[3]"
            continue
        else if contains -- $words[-1] $part[1] $part[2]
            set argument $part[3]
        else if test (count $given) -eq 2 -a "$given[1]" = "$part[2]"
            __duet_take $part[3] $given[2] | string replace --regex -- '^' "$given[1]="
            return
        end
    end
    if test -n "$argument"
        __duet_take $argument $current
    else if string match --quiet -- '-*' $current
        printf '%s\n' $names
    else
        __duet_operands $words[1] $words[2] (count $words) $current
    end
end

complete -c duet -f -a '(__duet_complete)'
