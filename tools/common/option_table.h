/*
 * The one table of options: each row has a name, a kind, a default, a help text, the subcommands
 * that take it on the command line, and the structs that hold its value. The command line, the
 * files of `duet run`, the help texts and, by these, the completions are all made of it.
 */
#ifndef DUET_TOOL_OPTION_TABLE_H
#define DUET_TOOL_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

/** The subcommands, as a set. */
enum option_user {
    FOR_KEYGEN = 1 << 0,
    FOR_PIPE = 1 << 1,
    FOR_SEND = 1 << 2,
    FOR_RECV = 1 << 3,
    FOR_PING = 1 << 4,
    FOR_CLIENT = 1 << 5,
    FOR_SERVER = 1 << 6,
    FOR_RUN = 1 << 7,
    FOR_CTL = 1 << 8,
    FOR_VERSION = 1 << 9,
    FOR_PROBE = 1 << 10,
    FOR_KEY = 1 << 11,
    FOR_CHANNEL = FOR_PIPE | FOR_SEND | FOR_RECV | FOR_PING, /* one channel, then they end */
    FOR_TUNNEL = FOR_CLIENT | FOR_SERVER,
    FOR_KEYED = FOR_CHANNEL | FOR_TUNNEL | FOR_PROBE /* those that read key files */
};

/** The struct that holds a value. */
enum option_owner {
    IN_COMMAND, /* struct options */
    IN_TUNNEL,  /* struct tunnel_settings: a key of [Tunnel NAME] */
    IN_PROCESS, /* struct settings: a key of [Global] */
    OWNERS
};

/** The heading of a row in the help. */
enum option_heading { HEAD_OWN, HEAD_KEYS, HEAD_CONNECTION, HEAD_SERVICE, HEAD_OUTPUT, HEADINGS };

enum option_kind {
    OPTION_FLAG,             /* unsigned; yes or no in a file */
    OPTION_TEXT,             /* char *, owned; one of choices where there are some */
    OPTION_PATH,             /* char *, owned */
    OPTION_PATHS,            /* struct strlist; may be repeated */
    OPTION_LIST,             /* struct strlist; may be repeated; each is checked by fault */
    OPTION_NUMBER,           /* unsigned */
    OPTION_SIZE,             /* uint64_t: bytes, such as 500k or 2G */
    OPTION_SECONDS,          /* int milliseconds */
    OPTION_SECONDS_OR_NEVER, /* the same; -1: never */
    OPTION_RANGE,            /* uint32_t[2]: two times, in milliseconds */
    OPTION_CHOICE            /* unsigned: the place in choices */
};

struct option {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    uint64_t least, most;                   /* of a number, or of milliseconds */
    const char *const *choices;             /* ends with NULL; "" cannot be chosen */
    const char *(*fault)(const char *text); /* what is wrong with it; NULL: nothing */
    unsigned users;                         /* set of enum option_user */
    enum option_heading heading;
    size_t at[OWNERS];    /* offset in each struct that holds it; 0: not there */
    const char *standard; /* the default as text; NULL: zero, or nothing */
    const char *argument; /* how help calls the value */
    const char *about;    /* NULL: an old name, which help does not show */
};

enum { OPTIONS_MOST = 160, OPTION_WHY = 200 }; /* rows; bytes of a reason */

extern const struct option option_table[];
extern const size_t option_count;

/** The row of a configuration file's key, size bytes of name: one of a tunnel's or of the process.
 * NULL: none. */
const struct option *option_find(const char *name, size_t size);

/** May it be given several times? */
int option_is_list(const struct option *option);

/** Give all values of an owner's struct their defaults; it is all zeros before. */
void option_defaults(enum option_owner owner, void *base);

/** Release the texts and lists that the values of an owner's struct hold. */
void option_free(enum option_owner owner, void *base);

/** Set a value. folder: where relative paths begin, "" or with a final slash. Returns 0, or -1 with
 * a reason. */
int option_set(const struct option *option, enum option_owner owner, void *base, const char *folder,
               const char *value, char why[OPTION_WHY]);

#endif
