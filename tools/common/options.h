/*
 * The command line of a subcommand: read by popt from the one table of options (option_table.h).
 */
#ifndef DUET_TOOL_OPTIONS_H
#define DUET_TOOL_OPTIONS_H

#include "keys.h"
#include "option_table.h"
#include "strlist.h"

#include <stddef.h>
#include <stdint.h>

enum progress_style { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE, PROGRESS_LINE };

/** What a command line says. Texts are owned; NULL where nothing is said. */
struct options {
    const char **operands; /* what is no option */
    size_t operand_count;
    /* the channel */
    struct key_files files;
    unsigned listen, stdio, top, bottom; /* flags */
    char *exec;
    char *proxy_url, *proxy_auth; /* --proxy, --proxy-auth */
    char *in, *out;               /* --in, --out; -o of keygen and recv */
    int timeout_ms;               /* 0: the default of connecting or of listening */
    int handshake_ms;
    int idle_ms;                            /* -1: never */
    uint32_t drain_least_ms, drain_most_ms; /* adjacent, as OPTION_RANGE wants */
    uint32_t linger_least_ms, linger_most_ms;
    unsigned connections;
    unsigned trial_rate;  /* trials of secrets in a second; 0: no limit */
    unsigned replay_size; /* nonces in the replay cache */
    /* output */
    unsigned json, progress; /* progress: enum progress_style */
    /* what one subcommand alone has */
    unsigned make_identity, size, passphrase, remove;
    char *passphrase_fd;
    char *not_after, *peer;
    char *name;
    unsigned force, count, batch, check;
    /* transfers */
    struct strlist excludes, includes, exclude_files; /* in their order by options_given() */
    unsigned list, follow, no_perms, checksum, retry, keep, update, keep_both, hidden;
    unsigned dry_run, owner, xattrs;
    unsigned streams; /* 0: the subcommand's default */
    char *files_from, *chmod;
    uint64_t limit, most_bytes, most_files;
    char *config, *control;
    char *capture; /* of probe */
    unsigned as_client, tries, parallel;
};

/** A subcommand. */
struct command {
    const char *name;
    unsigned user;      /* its bit of enum option_user; 0: it takes no option */
    const char *usage;  /* what follows the name */
    const char *about;  /* one line */
    const char *notes;  /* what a first-time user must know, below the options; NULL: nothing */
    size_t least, most; /* operands */
    int numbers;        /* 1: an operand may be a negative number */
    int (*run)(struct options *options);
};

/** Read a command's arguments and run it. Returns an exit code. */
int options_run(const struct command *command, int argc, const char **argv);

/** The options that were given, in their order, so that tunnels can be made of them again for each
 * reload. Returns 0 beyond the last. */
int options_given(size_t number, const struct option **option, const char **value);

#endif
