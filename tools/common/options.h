/*
 * The options that subcommands share, by popt; each subcommand says which groups it takes.
 */
#ifndef DUET_TOOL_OPTIONS_H
#define DUET_TOOL_OPTIONS_H

#include "keys.h"

#include <popt.h>
#include <stddef.h>
#include <stdint.h>

struct options {
    struct key_files files;
    /* the link */
    int listen; /* -l */
    char *exec; /* --exec */
    int stdio, top, bottom;
    char *in, *out; /* --in, --out; recv's -o */
    char *timeout, *handshake_timeout, *idle_timeout, *drain_timeout, *max_connections;
    /* numbers of these, in milliseconds; negative: none */
    int timeout_ms, handshake_ms, idle_ms;
    uint32_t drain_least_ms, drain_most_ms;
    unsigned connections;
    /* output */
    int verbose, quiet, json;
    char *progress;
    /* subcommands' own */
    char *size, *count, *name;
    int make_identity, force, quick;
    /* what is left */
    const char **operands;
    size_t operand_count;
};

/** Groups of options. */
enum option_group { OPTIONS_KEYS = 1, OPTIONS_LINK = 2, OPTIONS_PROGRESS = 4, OPTIONS_JSON = 8 };

/** A subcommand. */
struct command {
    const char *name;
    const char *usage;            /* what follows the name */
    const char *about;            /* one line */
    unsigned groups;              /* set of enum option_group */
    const struct poptOption *own; /* its own options; NULL: none */
    /* Options that come from elsewhere, and who takes each that popt hands back; NULL: none. */
    const struct poptOption *(*more)(void);
    int (*take)(int number, const char *argument); /* returns an exit code */
    size_t least, most;                            /* operands */
    int numbers;                                   /* 1: an operand may be a negative number */
    int (*run)(struct options *options);
};

/** The options that are being read; the tables point into it. */
extern struct options options;

/** Read a command's arguments and run it. Returns an exit code. */
int options_run(const struct command *command, int argc, const char **argv);

/** A time as milliseconds: seconds with a fraction, or another unit behind it (ms, s, m, h).
 * Returns 0, or -1. */
int parse_seconds(int *ms, const char *text);

/** A decimal number from least to most. Returns 0, or -1. */
int parse_number(uint64_t *number, const char *text, uint64_t least, uint64_t most);

#endif
